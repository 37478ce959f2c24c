"""Drills: each fault that the deployment must survive, tried on the real thing under a load that keeps every request.

`make drill` runs them all, `make drill NAME` one; `python -m drills --list` tells their names.
"""
