"""Which spot quota counts a machine type."""

from __future__ import annotations

import pytest

from distributed_something.aws.compute.market import quota_of


@pytest.mark.parametrize(
    ("machine", "code"),
    [
        ("m5.xlarge", "L-34B43A08"),
        ("c7g.large", "L-34B43A08"),
        ("r6id.32xlarge", "L-34B43A08"),
        ("im4gn.large", "L-34B43A08"),
        ("g4dn.xlarge", "L-3819A6DF"),
        ("gr6.4xlarge", "L-3819A6DF"),
        ("vt1.3xlarge", "L-3819A6DF"),
        ("p4d.24xlarge", "L-7212CCBC"),
        ("inf2.xlarge", ""),
        ("trn1.2xlarge", ""),
        ("dl1.24xlarge", ""),
        ("x2gd.large", ""),
    ],
)
def test_the_family_tells_the_quota_and_no_guess_is_made(machine: str, code: str) -> None:
    assert quota_of(machine) == code
