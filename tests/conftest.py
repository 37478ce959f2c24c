"""For all tests."""

from __future__ import annotations

import warnings

import pulumi_aws as aws

# A part of the provider's package is loaded at the first use of a name in it, and then warns of old names of its own,
# which we do not use; in this project's tests warnings are errors.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    USED = (aws.s3.BucketObjectv2, aws.ec2.get_prefix_list)
