"""Break the deployment in every way that it must survive, and count every request meanwhile.

`make drill` runs all drills, `make drill NAME ...` some.
"""
