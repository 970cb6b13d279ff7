"""Rights that no request of the suite needs, since AWS's own programs make those requests.

Each reason has the page that names the right, or says which request of ours is played in tests.
"""

from __future__ import annotations

from distributed_something.definitions.account import INSTANCE_ROLE, LAMBDA_ROLE

_AGENT = "the ECS agent: developerguide/instance_IAM_role.html"
_PULL = "the container engine pulls from ECR: AmazonECR/userguide/ECR_on_ECS.html"
_BUILD = "docker pushes to ECR: AmazonECR/userguide/image-push-iam.html"
_LABELS = "reading an image's labels in ECR is answered by the registry of tests"
_LAMBDA_LOG = "Lambda itself writes it: lambda/latest/dg/monitoring-cloudwatchlogs.html"


def why_unseen(policy: str, sid: str, action: str) -> str:
    """Who needs a right, if not a request that the suite makes; '' for one of ours."""
    service = action.partition(":")[0]
    if policy == INSTANCE_ROLE:
        return _PULL if service == "ecr" else _AGENT
    if policy == LAMBDA_ROLE and sid == "OwnLog":
        return _LAMBDA_LOG
    if service == "ecr":
        return _BUILD if "ECR" in policy else _LABELS
    return ""
