"""Questions about a deployment, each a command (`python -m ops.NAME --help`) with a target of make.

Of what is deployed, here or on AWS: `reach` (what the Internet reaches), `drift` (what differs from this clone),
`leftovers` (what is left), `empty` (a part of make destroy). Of the templates alone: `cost`.
"""
