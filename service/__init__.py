"""The time service: GET /now says what time it is, GET /health says whether to believe it."""
