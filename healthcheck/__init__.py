"""Is the service up, and is its clock within a second of true time? Measured with a proven bound.

`samples` (with `transport` and `failures`) and `reference` measure, on the `clock` that nobody
sets. `reading` holds the measurements, and `verdict` judges them. `check` is one check; `periodic`
decides when to make the next. `formats/` has the forms of a result. `__main__`, `arguments` and
`output` are the command, `handler` is the Lambda function, and `schedules/` and `Dockerfile` run
the command on machines.
"""

__version__ = "1.1.0"
