"""Is the service up, and is its clock within a second of true time? Measured with a proven bound, not guessed.

`samples` (by way of `transport` and `failures`) and `reference` measure, on the `clock` that nobody sets;
`reading` holds what they measured, `verdict` judges it. `telling` puts it in words, `plugin` and `exposition` in the
forms of monitoring systems, and `proof` explains it. `check` is one check of all this, `periodic`
says when to make another. `__main__` with its `arguments` and `output` is for a person, `handler` for AWS, and
`schedules/` and `Dockerfile` are for machines that check by themselves.
"""

__version__ = "1.0.0"
