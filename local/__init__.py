"""Deploy the same on one machine, where containers stand in for AWS."""
