"""Try many thousands of inputs: python -m tests.fuzz.long --seed 1 --each 1700

Prints for each loader how many were tried, how many passed a first parse, and the most of seconds
and memory that any took; ends with 1 after an error that is no sentence, or beyond a limit.
"""

from __future__ import annotations

import argparse
import logging
import resource
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from .loaders import LOADERS, passes_first_parse, refusal
from .makers import INPUTS

MOST_SECONDS = 5.0  # of a processor, for an input
MOST_MEMORY = 300  # MB, of the process that reads them all


@dataclass
class Tally:
    """What came of one loader's inputs."""

    tried: int = 0
    parsed: int = 0
    taken: int = 0
    slowest: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def is_right(self) -> bool:
        return not self.errors and self.slowest <= MOST_SECONDS and memory() <= MOST_MEMORY


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=1700, help="inputs for each loader")
    parser.add_argument("loaders", nargs="*", choices=[[], *LOADERS], metavar="LOADER")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    tallies = {}
    for name in options.loaders or LOADERS:
        tally = tallies[name] = tried(name, options.each, options.seed)
        print(
            f"{name:13} {tally.tried:6,} tried, {tally.parsed:6,} passed a first parse, "
            f"{tally.taken:6,} taken, slowest {tally.slowest:.2f} s, {memory()} MB, "
            f"{sum(tally.errors.values())} errors",
            flush=True,
        )
        for error, count in tally.errors.most_common():
            print(f"    {count}: {error}")
    print(f"{sum(one.tried for one in tallies.values()):,} inputs, seed {options.seed}")
    return 0 if all(one.is_right for one in tallies.values()) else 1


def tried(name: str, each: int, number: int) -> Tally:
    """Read so many inputs of one loader."""
    tally = Tally()
    loader = LOADERS[name]
    with tempfile.TemporaryDirectory() as folder:

        @seed(number)
        @settings(
            max_examples=each,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(INPUTS[name])
        def read(content: bytes) -> None:
            tally.tried += 1
            tally.parsed += passes_first_parse(loader, content)
            began = time.process_time()
            try:
                tally.taken += not refusal(loader, Path(folder), content)
            except Exception as error:  # noqa: BLE001  any at all is what is looked for
                frames = traceback.extract_tb(error.__traceback__)
                ours = [frame for frame in frames if "distributed_something" in frame.filename]
                place = f"{ours[-1].name}, line {ours[-1].lineno}" if ours else "the harness"
                tally.errors[f"{type(error).__name__} in {place}, such as {content[:200]!r}"] += 1
            tally.slowest = max(tally.slowest, time.process_time() - began)

        read()
    return tally


def memory() -> int:
    """The most that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


if __name__ == "__main__":
    raise SystemExit(main())
