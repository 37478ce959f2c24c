"""The time service: GET /now returns the time, GET /health whether this host may serve."""
