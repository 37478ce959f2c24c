"""How what is deployed differs from what this clone says."""
