"""Fleet files for tests, right but for what a test changes."""

from __future__ import annotations

from typing import Any


def specification(**changes: Any) -> dict[str, Any]:
    """A launch specification in upstream's form; None takes a key out."""
    merged = {
        "ImageId": "ami-fad25980",
        "KeyName": "lab-key",
        "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/ecsInstanceRole"},
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": "subnet-1",
                "Groups": ["sg-1"],
            }
        ],
        **changes,
    }
    return {key: value for key, value in merged.items() if value is not None}


def fleet(*specifications: Any, **changes: Any) -> dict[str, Any]:
    """A fleet file; without specifications it has one that is right."""
    return {
        "IamFleetRole": "arn:aws:iam::123456789012:role/aws-ec2-spot-fleet-tagging-role",
        "AllocationStrategy": "lowestPrice",
        "Type": "maintain",
        "LaunchSpecifications": list(specifications) or [specification()],
        **changes,
    }
