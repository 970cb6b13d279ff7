"""What it takes to read the attempts of a run: seconds and memory of `status --failed`, `report`
and `retry`.

    python -m tests.benchmarks.attempts 10000 100000 --delay 0.02

The bucket is a server in a process of its own, which makes an object up when it is read and takes
--delay seconds to answer. Beside the requests stands how many LIST calls the keys need at least.
Every job has one attempt; every other one failed and was given up, with twenty lines of its log.
Each verb is measured in a new process. Exits 1 if one takes more than 300 MB.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from rich.console import Console

from distributed_something.aws.session import Aws, make_session
from distributed_something.cli.screens.status_screen import MOST_FAILED, failed_screen
from distributed_something.commands.reading.report import make_report, write_page
from distributed_something.commands.reading.retry import _plan
from distributed_something.commands.runs.failed_jobs import failed_jobs
from distributed_something.protocol.ledger.attempts import Attempt, AttemptState
from distributed_something.protocol.ledger.facts import GivenUp, SubmittedJob
from distributed_something.protocol.ledger.keys import RunKeys
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger

MOST_MB = 300
PAGE = 1000
BUCKET = "bench"
REASON = "The command ended with exit code 1."
RECORD = RunRecord(
    *("Bench", "bench", "BenchQueue", BUCKET, "Bench"),
    run_id="20261121-000000-abcd",
    region="us-east-1",
    started=1_795_240_800.0,
    ended=1_795_290_000.0,
)
KEYS: RunKeys = RECORD.keys
_ITEM = (
    "<Contents><Key>{}</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>700</Size></Contents>"
)
_GONE = b"<Error><Code>NoSuchKey</Code><Message>There is none.</Message></Error>"
_DENIED = b"<Error><Code>AccessDenied</Code><Message>You may not.</Message></Error>"


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure)))
        return 0
    if arguments.serve:
        serve(arguments.serve, arguments.delay)
        return 0
    most = 0.0
    for count in arguments.attempts:
        least = -(-len(_all_keys(count)) // PAGE)
        with bucket(count, arguments.delay) as endpoint:
            for verb in VERBS:
                seen = _in_a_process("--measure", verb, endpoint)
                most = max(most, seen["megabytes"])
                print(
                    f"{count:>9,} attempts  {verb:<16} {seen['seconds']:7.1f} s, "
                    f"{seen['cpu']:5.1f} s of CPU  "
                    f"{seen['calls']:>8,.0f} requests ({least:,} LISTs are the least)  "
                    f"{seen['megabytes']:5.0f} MB more",
                    flush=True,
                )
    return 0 if most <= MOST_MB else 1


def status_failed(aws: Aws) -> None:
    """What `status --failed` reads and prints."""
    ledger = RunLedger.of(aws.s3, RECORD)
    failed = failed_jobs(ledger, ledger.survey())
    Console(file=io.StringIO(), width=10_000).print(failed_screen(islice(failed, MOST_FAILED)))


def status_failed_json(aws: Aws) -> None:
    """What `status --failed --json` reads and prints."""
    ledger = RunLedger.of(aws.s3, RECORD)
    for one in failed_jobs(ledger, ledger.survey()):
        json.dumps(asdict(one))


def report(aws: Aws) -> None:
    """The whole page."""
    with tempfile.TemporaryDirectory() as folder:
        write_page(make_report(aws, RECORD), Path(folder) / "report.html")


def retry(aws: Aws) -> None:
    """What `retry --reason` finds to be queued again."""
    plan = _plan(aws, RECORD, "", (), "exit code 1")
    assert plan.count == len(plan.job_ids) > 0


VERBS: dict[str, Callable[[Aws], None]] = {
    "status --failed": status_failed,
    "status --json": status_failed_json,
    "report": report,
    "retry --reason": retry,
}


def measure(verb: str, endpoint: str) -> dict[str, float]:
    """Do what a verb does once."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    aws = Aws(make_session("us-east-1"), endpoint)
    calls = 0

    def count(**_: object) -> None:
        nonlocal calls
        calls += 1

    aws.s3.meta.events.register("before-send.s3", count)
    aws.s3.list_objects_v2(Bucket=BUCKET, Prefix="warm")
    before, began, cpu, calls = _peak(), time.perf_counter(), time.process_time(), 0
    VERBS[verb](aws)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "calls": calls,
        "megabytes": (_peak() - before) / 1024,
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def job(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:20]


def serve(count: int, delay: float) -> None:
    """Answer listings and reads of such a ledger; the port is told on stdout."""
    numbers = {job(number): number for number in range(count)}
    lists = {KEYS.job_list(f"{n:08d}", min(1000, count - n)): n for n in range(0, count, 1000)}
    keys = _all_keys(count)

    def body_of(key: str) -> bytes | None:
        if key in lists:
            first = lists[key]
            some = range(first, min(first + 1000, count))
            lines = [SubmittedJob(job(n), f"job-{n}", "{}").to_line() for n in some]
            return gzip.compress(b"\n".join(lines), 1)
        kind, _, rest = key.removeprefix(KEYS.prefix).partition("/")
        number = numbers.get(rest.partition("/")[0])
        if number is None or kind not in ("attempts", "done", "dead"):
            return None
        one = _attempt(number)
        if kind == "done":
            return one.attempt_id.encode()
        return GivenUp(one.job_id, one.reason).to_json() if kind == "dead" else one.to_json()

    class Bucket(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            time.sleep(delay)
            place = urlsplit(self.path)
            asked = {k: v[0] for k, v in parse_qs(place.query).items()}
            if "list-type" in asked:
                return self.answer(200, _listing(keys, asked))
            body = body_of(unquote(place.path).removeprefix(f"/{BUCKET}/"))
            return self.answer(404, _GONE) if body is None else self.answer(200, body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer(403, _DENIED)

        def answer(self, status: int, body: bytes) -> None:
            head = f"HTTP/1.1 {status} x\r\nDate: {formatdate(usegmt=True)}\r\n"
            self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

        def log_message(self, format: str, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    print(server.server_port, flush=True)
    server.serve_forever()


def _listing(keys: list[str], asked: dict[str, str]) -> bytes:
    prefix = asked.get("prefix", "")
    begin = asked.get("continuation-token") or asked.get("start-after", "")
    first = max(bisect_left(keys, prefix), bisect_right(keys, begin) if begin else 0)
    last = bisect_left(keys, prefix + "\uffff")
    page = keys[first : min(last, first + PAGE)]
    more = first + PAGE < last
    token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
    items = "".join(map(_ITEM.format, page))
    head = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}"
    return f"<ListBucketResult>{head}{items}</ListBucketResult>".encode()


def _all_keys(count: int) -> list[str]:
    lists = [KEYS.job_list(f"{n:08d}", min(1000, count - n)) for n in range(0, count, 1000)]
    return sorted([*lists, *(key for number in range(count) for key in _keys(number))])


def _keys(number: int) -> Iterator[str]:
    one = _attempt(number)
    for state in (AttemptState.STARTED.value, one.state):
        yield KEYS.attempt(replace(one, state=state).key)
    yield KEYS.dead(one.job_id) if number % 2 else KEYS.done(one.job_id)


def _attempt(number: int) -> Attempt:
    failed = number % 2 == 1
    return Attempt(
        *(job(number), f"job-{number}", f"{1_795_240_800_000 + number * 100:013d}-abcdef", 1),
        state="failed" if failed else "done",
        instance_id=f"i-{number % 200:017x}",
        slot=f"slot-{number % 4}",
        started=1_795_240_800.0 + number * 0.1,
        ended=1_795_240_830.0 + number * 0.1,
        exit_code=1 if failed else 0,
        reason=REASON if failed else "",
        peak_memory_mib=500.0,
        log_tail="a line of what the tool has printed, as long as lines are\n" * 20 * failed,
        instance_type="m5.xlarge",
    )


@contextmanager
def bucket(count: int, delay: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.attempts", "--serve", str(count)]
    command += ["--delay", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def _in_a_process(*words: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.attempts", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("attempts", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--delay", type=float, default=0.0, help="seconds a request")
    parser.add_argument("--measure", nargs=2, metavar="WORD", help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=int, metavar="ATTEMPTS", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
