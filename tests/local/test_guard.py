"""A simulated account's server answers its owner alone: no page, no other user, no other name."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from distributed_something.aws.session import Aws
from distributed_something.cli.faults import explain
from distributed_something.local import REFUSED_CODE
from distributed_something.local.simulator import Rules, Simulator
from tests.browser import open_page

# A call of each service that the toolkit uses; they have five forms of errors.
CALLS = {
    "cloudwatch": "list_dashboards",
    "ec2": "describe_instances",
    "ecs": "list_clusters",
    "iam": "list_roles",
    "lambda": "list_functions",
    "logs": "describe_log_groups",
    "s3": "list_buckets",
    "scheduler": "list_schedules",
    "service-quotas": "list_services",
    "sns": "list_topics",
    "sqs": "list_queues",
    "ssm": "describe_parameters",
    "sts": "get_caller_identity",
}
COMMAND = '{"command": "touch /tmp/owned", "shell": true}'


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        yield simulator


def call(simulator: Simulator, service: str, key: str, secret: str) -> None:
    session: Any = boto3.Session(key, secret, region_name="us-east-1")
    getattr(session.client(service, endpoint_url=simulator.endpoint_url), CALLS[service])()


def ask(
    simulator: Simulator, method: str, path: str, body: str = "", headers: Mapping[str, str] = {}
) -> tuple[int, str]:
    """What a program such as curl gets for a request without a signature."""
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=30)
    connection.request(method, path, body.encode(), dict(headers))
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    assert answer.getheader("Access-Control-Allow-Origin") is None
    return answer.status, text


def signed(simulator: Simulator, method: str, url: str, service: str) -> dict[str, str]:
    """The headers that the owner's request has."""
    own = simulator.environment
    keys = Credentials(own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"])
    request = AWSRequest(method, url)
    SigV4Auth(keys, service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


@pytest.mark.parametrize("service", CALLS)
def test_a_foreign_key_is_refused_by_every_service_in_words_that_name_the_cure(
    simulator: Simulator, service: str
) -> None:
    own = simulator.environment["AWS_ACCESS_KEY_ID"]
    for key, reason in (("simulated", "access key is not"), (own, "secret key does not fit")):
        with pytest.raises(ClientError) as refused:
            call(simulator, service, key, "simulated")
        assert refused.value.response["Error"].get("Code") == REFUSED_CODE
        told = explain(refused.value)
        assert told is not None and told[1] == 1
        assert told[0].startswith("This simulated AWS obeys only its owner")
        assert "rehearse --serve" in told[0] and reason in told[0]


def test_keys_of_an_earlier_server_open_no_later_one() -> None:
    with Simulator() as earlier:
        own = earlier.environment
    with Simulator() as later:
        keys = own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"]
        with pytest.raises(ClientError, match="access key is not this server's"):
            call(later, "sqs", *keys)


def test_keys_that_the_owner_made_in_the_account_open_it_too(simulator: Simulator) -> None:
    aws = simulator.aws()
    aws.iam.create_user(UserName="colleague")
    key = aws.iam.create_access_key(UserName="colleague")["AccessKey"]
    call(simulator, "sqs", key["AccessKeyId"], key["SecretAccessKey"])


def test_names_of_all_kinds_are_signed_as_they_are_sent(simulator: Simulator) -> None:
    s3 = simulator.aws().s3
    s3.create_bucket(Bucket="lab-data")
    keys = ["a b/ü+%/~x//y", "/absolute", "q?=&;#", "../up", "a%20b", "日本"]
    for key in keys:
        s3.put_object(Bucket="lab-data", Key=key, Body=b"x", Metadata={"foo_bar": "two  words"})
        assert s3.get_object(Bucket="lab-data", Key=key)["Body"].read() == b"x"
    listed = s3.list_objects_v2(Bucket="lab-data")["Contents"]
    assert {item["Key"] for item in listed} == set(keys)


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("POST", "/", "Action=ListQueues&Version=2012-11-05", "application/x-www-form-urlencoded"),
        ("GET", "/?Action=ListQueues&Version=2012-11-05", "", ""),
        ("PUT", "/a-bucket", "", ""),
        ("GET", "/lab-data?list-type=2", "", ""),
        ("OPTIONS", "/", "", ""),
        ("POST", "/moto-api/reset", "", ""),
        ("GET", "/moto-api/data.json", "", ""),
        ("GET", "/latest/meta-data/iam/security-credentials/", "", ""),
        ("POST", "/", "{}", "application/x-amz-json-1.0"),
        ("POST", "/service/x/operation/ListDashboards", "", "application/cbor"),
    ],
)
def test_another_user_of_the_computer_is_refused_without_the_key(
    simulator: Simulator, method: str, path: str, body: str, kind: str
) -> None:
    aws = simulator.aws()
    aws.s3.create_bucket(Bucket="lab-data")
    status, said = ask(simulator, method, path, body, {"Content-Type": kind} if kind else {})
    assert status == 403 and "rehearse --serve" in said
    assert [one.get("Name") for one in aws.s3.list_buckets()["Buckets"]] == ["lab-data"]


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS {key}:AAAA",
        "Basic c2ltdWxhdGVkOg==",
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/sqs/aws4_request, "
        "SignedHeaders=host, Signature=" + 64 * "0",
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/sqs/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=" + 64 * "0",
        "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/s3/aws4_request, "
        "SignedHeaders=;;;, Signature=" + 64 * "0",
        "\xff\x00" + 4000 * "A",
    ],
)
def test_a_signature_that_is_none_is_refused_and_breaks_nothing(
    simulator: Simulator, authorization: str
) -> None:
    key = simulator.environment["AWS_ACCESS_KEY_ID"]
    given = authorization.replace("{key}", key).replace("\x00", "")
    status, said = ask(simulator, "POST", "/", "{}", {"Authorization": given})
    assert status == 403 and "obeys only its owner" in said


def test_even_the_owners_request_is_refused_under_a_foreign_name(simulator: Simulator) -> None:
    """As a browser sends it to a name that a hostile page's own name server leads here."""
    for name, wanted in (("localhost", 200), ("rebound.example", 403)):
        host = f"{name}:{simulator.port}"
        headers = signed(simulator, "GET", f"http://{host}/", "s3")
        status, said = ask(simulator, "GET", "/", headers={**headers, "Host": host})
        assert status == wanted, said
    assert "names another host" in said


def test_a_query_may_be_sent_less_encoded_than_it_is_signed(simulator: Simulator) -> None:
    """As s3fs does."""
    simulator.aws().s3.create_bucket(Bucket="lab-data")
    address = f"{simulator.endpoint_url}/lab-data"
    headers = signed(simulator, "GET", f"{address}?delimiter=%2F&prefix=a%2F", "s3")
    status, said = ask(simulator, "GET", "/lab-data?delimiter=/&prefix=a/", headers=headers)
    assert status == 200, said
    status, _ = ask(simulator, "GET", "/lab-data?delimiter=/&prefix=b/", headers=headers)
    assert status == 403


def test_no_route_manages_the_simulator_even_for_its_owner(simulator: Simulator) -> None:
    for path in ("/moto-api/data.json", "/latest/meta-data/placement/region"):
        headers = signed(simulator, "GET", simulator.endpoint_url + path, "s3")
        status, said = ask(simulator, "GET", path, headers=headers)
        assert (status, "NoSuchBucket" in said) == (404, True)


@contextmanager
def web_page(text: str) -> Iterator[str]:
    """The address of a page that another server of this computer gives."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


_PAGE = """<body><p id="said">nothing</p><script>
const simple = {method: "POST", mode: "no-cors", body: new URLSearchParams({
    Action: "SendMessage", Version: "2012-11-05", QueueUrl: "QUEUE", MessageBody: BODY})};
const read = {headers: {"Authorization": "AWS4-HMAC-SHA256 Credential=simulated/20260101/" +
    "us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"}};
Promise.allSettled([
    fetch("SERVER", simple), fetch("SERVER", read), fetch("SERVERmoto-api/data.json")
]).then((ended) => {
    document.getElementById("said").innerText = ended.map((one) => one.status).join(" ");
});
</script></body>"""


def test_a_page_of_another_origin_neither_sends_a_job_nor_reads_an_answer(
    simulator: Simulator, tmp_path: Path
) -> None:
    aws = simulator.aws()
    queue = aws.sqs.create_queue(QueueName="Jobs")["QueueUrl"]
    page = _PAGE.replace("SERVER", f"{simulator.endpoint_url}/").replace("QUEUE", queue)
    with web_page(page.replace("BODY", repr(COMMAND))) as address:
        dom, _ = open_page(address, tmp_path)
    # The first was sent, for a browser asks nobody about a plain form; no answer was shown.
    assert '<p id="said">fulfilled rejected rejected</p>' in dom
    assert waiting(aws, queue) == "0"


def waiting(aws: Aws, queue: str) -> str:
    asked = aws.sqs.get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return asked["Attributes"]["ApproximateNumberOfMessages"]
