"""For all tests."""

from __future__ import annotations

import os
import warnings

import pulumi_aws as aws
from hypothesis import settings

# A part of the provider's package is loaded at the first use of a name in it, and then warns of old names of its own,
# which we do not use; in this project's tests warnings are errors.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    USED = (aws.s3.BucketObjectv2, aws.ec2.get_prefix_list)

# The same examples each time in `make unit`, so that nobody's commit fails by chance; new and many more in `make fuzz`.
settings.register_profile("unit", derandomize=True, max_examples=200, deadline=None, database=None)
settings.register_profile("fuzz", max_examples=20_000, deadline=None, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))
