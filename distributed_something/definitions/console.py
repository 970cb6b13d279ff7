"""The pages of the AWS console that show a run."""

from __future__ import annotations

from urllib.parse import quote

_DOMAINS = {"cn-": "amazonaws.cn", "us-gov-": "amazonaws-us-gov.com"}


def console_links(
    region: str, cluster: str, queue: str, bucket: str, app_name: str, log_group: str
) -> tuple[tuple[str, str], ...]:
    """The title and address of the five pages to keep open while a run goes on."""
    prefix = next((domain for domain in _DOMAINS if region.startswith(domain)), "")
    # China's and GovCloud's consoles have one address for all of their regions.
    host = f"{region}.console.aws.amazon.com" if not prefix else f"console.{_DOMAINS[prefix]}"
    home = f"https://{host}"
    # CloudWatch's page reads its own escapes, which are written with a $ instead of a %.
    group = quote(quote(log_group, safe=""), safe="").replace("%", "$")
    return (
        ("machines", f"{home}/ec2/home?region={region}#SpotInstances:"),
        (
            "containers",
            f"{home}/ecs/v2/clusters/{cluster}/services/{app_name}Service?region={region}",
        ),
        ("queue", f"{home}/sqs/v3/home?region={region}#/queues?search={quote(queue)}"),
        ("logs", f"{home}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}"),
        ("bucket", f"{home}/s3/buckets/{bucket}?region={region}"),
    )
