"""How many requests, how long and in how much memory `status` reads a run's ledger.

    python -m tests.benchmarks.status --jobs 1000 10000 100000

The bucket is a server in a process of its own that answers a listing after 20 ms. Each ledger has a
job list for 1,000 jobs, two keys for each attempt and a mark for each done job; one job in ten has
failed once, one in a hundred is given up, one in twenty has not ended. Each measurement runs in a
new process. Exits 1 if a listing takes more than 1.2 times the requests that its keys need.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import boto3

from distributed_something.aws.session import Aws
from distributed_something.protocol.ledger.attempts import AttemptKey, AttemptState
from distributed_something.protocol.ledger.keys import RunKeys
from distributed_something.protocol.ledger.objects import Objects
from distributed_something.protocol.ledger.survey import survey_run

MOST = 1.2  # requests for each that is needed
PAGE = 1000
KEYS = RunKeys("Bench", "20261121-000000-abcd")
_ITEM = (
    "<Contents><Key>{}</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>"
    "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
    "<Size>700</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return 0
    if arguments.serve:
        serve(arguments.serve, arguments.delay)
        return 0
    worst = 0.0
    for jobs in arguments.jobs:
        with bucket(jobs, arguments.delay) as endpoint:
            result = _in_a_process(endpoint)
        needed = -(-result["keys"] // PAGE)
        worst = max(worst, result["calls"] / needed)
        print(
            f"{jobs:>9,} jobs, {result['keys']:>9,} keys: {result['calls']:>4} LIST calls of "
            f"{needed} needed ({result['calls'] / needed:.2f}), {result['seconds']:.2f} s "
            f"({result['work']:.2f} s of them this process's own work), "
            f"{result['megabytes']:.0f} MB more than before"
        )
    return 0 if worst <= MOST else 1


def ledger(jobs: int) -> list[str]:
    """The keys of a run, sorted."""
    keys = [KEYS.record, KEYS.machine_book]
    keys += [KEYS.job_list(f"{n:08d}", min(1000, jobs - n)) for n in range(0, jobs, 1000)]
    for number in range(jobs):
        job = hashlib.sha256(str(number).encode()).hexdigest()[:20]
        keys += _attempt(job, 1, AttemptState.FAILED if number % 10 == 0 else AttemptState.DONE)
        if number % 100 == 0:
            keys.append(KEYS.dead(job))
        elif number % 20 == 0:
            keys.append(_key(job, 2, AttemptState.STARTED))
        elif number % 10 == 0:
            keys += [*_attempt(job, 2, AttemptState.DONE), KEYS.done(job)]
        else:
            keys.append(KEYS.done(job))
    return sorted(keys)


def _attempt(job: str, number: int, state: AttemptState) -> list[str]:
    return [_key(job, number, one) for one in (AttemptState.STARTED, state)]


def _key(job: str, number: int, state: AttemptState) -> str:
    reason = "ab12cd34" if state is AttemptState.FAILED else ""
    name = f"{number * 1000:013d}-abcdef"
    machine = (f"i-0{int(job[:4], 16) % 1000:016x}", f"ip-10-0-0-1-ab12-{int(job[4], 16) % 4 + 1}")
    return KEYS.attempt(
        AttemptKey(job, name, state, *machine, 0, 61.5, 1400, 300, 3, 1_500_000, reason=reason)
    )


def serve(jobs: int, delay: float) -> None:
    """Answer listings of such a ledger; the port is told on stdout."""
    keys = ledger(jobs)

    class Bucket(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            begin = asked.get("continuation-token") or asked.get("start-after", "")
            first = bisect_right(keys, begin)
            page = keys[first : first + PAGE]
            more = first + PAGE < len(keys)
            token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
            body = (
                f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
                f"{''.join(map(_ITEM.format, page))}</ListBucketResult>"
            ).encode()
            time.sleep(delay)
            self.send_response_only(200)
            self.send_header("Date", formatdate(usegmt=True))
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    print(server.server_port, flush=True)
    server.serve_forever()


@contextmanager
def bucket(jobs: int, delay: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.benchmarks.status"]
    command += ["--serve", str(jobs), "--delay", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def measure(endpoint: str) -> dict[str, float]:
    """Survey the ledger once."""
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    s3 = Aws(session, endpoint).s3
    sizes: list[int] = []
    s3.meta.events.register(
        "after-call.s3.ListObjectsV2",
        lambda parsed, **_: sizes.append(len(parsed.get("Contents", []))),
    )
    s3.list_objects_v2(Bucket="bench", Prefix="warm")
    sizes.clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, worked = time.perf_counter(), time.process_time()
    seen = survey_run(Objects(s3, "bench"), KEYS)
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert seen.submitted == len(seen.done) + len(seen.dead) + len(seen.open)
    attempts = sum(seen.attempts.values())
    keys = 2 * attempts - sum(last.state is AttemptState.STARTED for last in seen.open.values())
    keys += len(seen.done) + len(seen.dead) + -(-seen.submitted // 1000) + 2
    return {
        "calls": len(sizes),
        "keys": keys,
        "seconds": seconds,
        "work": work,
        "megabytes": megabytes,
    }


def _in_a_process(endpoint: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.status", "--measure", endpoint]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--delay", type=float, default=0.02, help="seconds an answer takes")
    parser.add_argument("--measure", metavar="ENDPOINT", help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=int, metavar="JOBS", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
