"""Is the service up, and is its clock within a second of true time? Measured with a proven bound, not guessed.

`samples` and `reference` measure, `reading` holds what they measured, `verdict` judges it; `telling` puts it in words,
`plugin` and `exposition` in the forms of monitoring systems, and `proof` explains it;
`periodic` says when to check again. `__main__` with its `arguments` is for a person, `handler` for AWS;
`schedules/` has what systemd and cron read, and the `Dockerfile` makes a container of it.
"""

__version__ = "0.1.0"
