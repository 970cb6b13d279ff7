"""Make the clients, all for one account, region and endpoint; nothing else makes one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

from ..protocol.sessions import let_requester_pay, read_quickly
from .clock import tell_clock

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_ecs import ECSClient
    from types_boto3_iam import IAMClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_scheduler import EventBridgeSchedulerClient
    from types_boto3_service_quotas import ServiceQuotasClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_ssm import SSMClient
    from types_boto3_sts import STSClient

DEFAULT_PROFILE = (
    "default"  # every upstream config says so, and means the ordinary credential chain
)
PARALLEL_REQUESTS = 32

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=PARALLEL_REQUESTS,
    retries={"mode": "standard", "total_max_attempts": 6},
)


@dataclass(frozen=True)
class Aws:
    """The clients of one account and region, each made when first asked for.

    `session` is boto3's; `endpoint_url` None means AWS itself, or what AWS_ENDPOINT_URL says.
    """

    session: boto3.Session
    endpoint_url: str | None = None

    @property
    def region(self) -> str:
        return self.session.region_name

    @cached_property
    def sqs(self) -> SQSClient:
        return self.session.client("sqs", endpoint_url=self.endpoint_url, config=_SQS_CONFIG)

    @cached_property
    def ecs(self) -> ECSClient:
        return self.session.client("ecs", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def ec2(self) -> EC2Client:
        return self.session.client("ec2", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def s3(self) -> S3Client:
        return self.session.client("s3", endpoint_url=self.endpoint_url, config=_S3_CONFIG)

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return self.session.client("logs", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return self.session.client("cloudwatch", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def iam(self) -> IAMClient:
        return self.session.client("iam", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def sts(self) -> STSClient:
        return self.session.client("sts", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def pricing(self) -> Any:
        """A client of AWS's price list; this region's lists all of them."""
        return self.session.client(
            "pricing", region_name="us-east-1", endpoint_url=self.endpoint_url, config=_CONFIG
        )

    def registry(self, region: str) -> Any:
        """A client of the image registry ECR, which may be another region's."""
        return self.session.client(
            "ecr", region_name=region, endpoint_url=self.endpoint_url, config=_CONFIG
        )

    @cached_property
    def ssm(self) -> SSMClient:
        return self.session.client("ssm", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def lambdas(self) -> LambdaClient:
        return self.session.client("lambda", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def scheduler(self) -> EventBridgeSchedulerClient:
        return self.session.client("scheduler", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def quotas(self) -> ServiceQuotasClient:
        return self.session.client("service-quotas", endpoint_url=self.endpoint_url, config=_CONFIG)

    @cached_property
    def sns(self) -> SNSClient:
        return self.session.client("sns", endpoint_url=self.endpoint_url, config=_CONFIG)


# Checking a batch of messages against SQS's model takes a tenth of the time of sending it, and SQS
# checks it again: a million jobs are queued that much sooner.
_SQS_CONFIG = _CONFIG.merge(Config(parameter_validation=False))

# A bucket is a folder of the endpoint when the endpoint is an address: 127.0.0.1 has no subdomains.
_S3_CONFIG = _CONFIG.merge(Config(s3={"addressing_style": "auto"}))


def profile_role(profile: str) -> str:
    """The role that a profile of ~/.aws/config names (role_arn); '' without one."""
    profiles = botocore.session.Session().full_config.get("profiles", {})
    return str(profiles.get(profile, {}).get("role_arn", ""))


def make_session(
    region: str, profile: str = DEFAULT_PROFILE, *, requester_pays: bool = False
) -> boto3.Session:
    """A session of the named profile; 'default' leaves the choice to botocore's credential chain.

    With `requester_pays` its account accepts the bill for requests to other owners' buckets.

    Raises botocore's ProfileNotFound for another profile that does not exist.
    """
    session = botocore.session.Session()
    read_quickly(session, parse_timestamp)
    name = None if profile == DEFAULT_PROFILE else profile
    made = boto3.Session(region_name=region, profile_name=name, botocore_session=session)
    tell_clock(made)
    if requester_pays:
        let_requester_pay(made)
    return made
