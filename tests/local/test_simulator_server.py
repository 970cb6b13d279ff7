"""The simulated account's server: its port, its emptiness, its conditional writes."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.session import Aws
from distributed_something.errors import UsageError
from distributed_something.local.simulator import Rules, Simulator


def test_a_busy_port_is_refused_by_its_number() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = pytest.raises(UsageError, match=str(port))
        with refused, Simulator(port):
            pass


def test_after_a_refused_port_another_one_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = Simulator(taken.getsockname()[1])
        with pytest.raises(UsageError):
            busy.__enter__()
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        assert simulator.aws().sts.get_caller_identity()["Account"] == "123456789012"


def test_the_port_that_was_asked_for_is_served_and_free_again_afterwards() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for _ in range(2):
        with Simulator(port) as simulator:
            assert simulator.endpoint_url == f"http://127.0.0.1:{port}"
            simulator.aws().sts.get_caller_identity()


def listening() -> set[tuple[str, int]]:
    """What this process listens to, for other tests too."""
    return {
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.Process().net_connections()
        if connection.status == psutil.CONN_LISTEN
    }


def test_it_listens_on_the_loopback_address_alone() -> None:
    before = listening()
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        assert listening() - before == {("127.0.0.1", simulator.port)}


def test_a_new_account_is_empty_whatever_the_last_one_held() -> None:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        aws = simulator.aws()
        aws.s3.create_bucket(Bucket="lab-data")
        aws.sqs.create_queue(QueueName="Jobs")
        aws.sqs.delete_queue(QueueUrl=aws.sqs.create_queue(QueueName="Gone")["QueueUrl"])
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        aws = simulator.aws()
        assert aws.s3.list_buckets()["Buckets"] == []
        assert "QueueUrls" not in aws.sqs.list_queues()
        aws.sqs.create_queue(QueueName="Gone")


def test_two_accounts_at_once_are_refused() -> None:
    with Simulator(), pytest.raises(RuntimeError), Simulator():
        pass


def test_of_many_conditional_writes_at_once_one_succeeds(aws: Aws) -> None:
    aws.s3.create_bucket(Bucket="lab-data")

    def write(number: int) -> bool:
        try:
            aws.s3.put_object(
                Bucket="lab-data", Key="done", Body=str(number).encode(), IfNoneMatch="*"
            )
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(write, range(64))) == 1
