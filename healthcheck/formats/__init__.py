"""The forms in which a result is written: each module has one function, `render`."""
