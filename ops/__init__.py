"""Operate a deployment, here or on AWS: each module is a command (`python -m ops.NAME --help`).

`preflight` asks AWS what would fail, `reach` computes what the Internet reaches, `drift` compares
with this clone, `repair` corrects Pulumi's state, `destroy` removes, and `leftovers` lists what is
left. `cost` needs the templates alone.
"""
