"""Compute what the Internet reaches of a deployment, and what its hosts reach."""
