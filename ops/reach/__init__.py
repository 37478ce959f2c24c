"""What the Internet reaches of a deployment, and what its hosts reach: computed from its state, by AWS's rules."""
