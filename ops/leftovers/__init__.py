"""What is left of a deployment: in its AWS API, and of a local one also on this machine."""
