"""Is the service up, and is its clock within a second of true time? Measured with a proven bound, not guessed.

`samples` and `reference` measure, `verdict` judges what they measured; `__main__` tells a person, `handler` AWS Lambda.
"""

__version__ = "0.1.0"
