"""Operate a deployment, here or on AWS: each module is a command (`python -m ops.NAME --help`).

`reach` computes what the Internet reaches, `drift` compares with this clone, `leftovers` lists what
is left, and `empty` is a part of make destroy. `cost` needs the templates alone.
"""
