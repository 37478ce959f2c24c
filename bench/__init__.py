"""Measurements, each a command with a target of make; what they found stands in README.md and docs/.

`python -m bench.speed` (requests per second), `bench.healthcheck` (how
well it measures), `bench.capacity` (what a rate of requests takes and costs: computed, not measured).
"""
