"""Make SNS topics, subscribe mail addresses to them, and publish."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..tags import ec2_tags

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

logger = logging.getLogger(__name__)

_LONGEST_SUBJECT = 100  # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html


def ensure_topic(sns: SNSClient, name: str, tags: Mapping[str, str]) -> str:
    """The ARN of the topic of this name, made if it does not exist."""
    request: Any = ec2_tags(tags)
    return sns.create_topic(Name=name, Tags=request)["TopicArn"]


def list_topics(sns: SNSClient) -> Iterator[str]:
    """The names of all topics of the account."""
    for page in sns.get_paginator("list_topics").paginate():
        yield from (topic["TopicArn"].rsplit(":", 1)[-1] for topic in page["Topics"])


def delete_topic(sns: SNSClient, arn: str) -> None:
    """Delete the topic with its subscriptions; one that does not exist is fine."""
    sns.delete_topic(TopicArn=arn)


def ensure_subscription(sns: SNSClient, topic: str, address: str) -> bool:
    """See that a mail address is subscribed; False while its owner has not confirmed it.

    AWS sends a mail with a link to an address that is new.
    """
    known = find_subscription(sns, topic, address)
    if known is None:
        arn = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)["SubscriptionArn"]
        return arn.startswith("arn:")
    return known


def find_subscription(sns: SNSClient, topic: str, address: str) -> bool | None:
    """Whether an address has confirmed its subscription; None if it or the topic does not exist."""
    try:
        pages = list(sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic))
    except sns.exceptions.NotFoundException:
        return None
    for page in pages:
        for subscription in page["Subscriptions"]:
            if subscription.get("Protocol") == "email" and subscription.get("Endpoint") == address:
                return subscription.get("SubscriptionArn", "").startswith("arn:")
    return None


def publish(sns: SNSClient, topic: str, subject: str, text: str) -> None:
    """Send a message to everybody who has subscribed."""
    plain = subject.encode("ascii", "replace").decode().replace("\n", " ")
    sns.publish(TopicArn=topic, Subject=plain[:_LONGEST_SUBJECT], Message=text)
