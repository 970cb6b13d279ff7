"""What a step of the monitor asks for does not grow with each machine, slot or job."""

from __future__ import annotations

import pytest

from distributed_something.local.simulator import Rules, Simulator
from tests.benchmarks.monitor import QUEUE, Step, make_run, measure


def cost(machines: int, waiting: int) -> Step:
    """One step for so many machines of two busy slots each."""
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        aws = simulator.aws()
        record = make_run(aws, machines, slots=2, jobs=3000)
        url = aws.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        aws.sqs.send_message(QueueUrl=url, MessageBody="one")
        if not waiting:
            aws.sqs.receive_message(QueueUrl=url, VisibilityTimeout=3600)
        return measure(aws, record)


@pytest.mark.slow
@pytest.mark.parametrize("waiting", [1, 0])
def test_a_step_takes_a_page_more_for_a_hundred_machines_and_no_request_for_each(
    waiting: int,
) -> None:
    few, many = cost(2, waiting), cost(60, waiting)
    assert few.requests < 25
    assert many.requests <= few.requests + 2
