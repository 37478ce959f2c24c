"""Measure the service's speed and the healthcheck's accuracy (make bench)."""
