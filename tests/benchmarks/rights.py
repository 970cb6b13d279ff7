"""Report which printed rights the suite's requests need, and which statements none of them does.

    RIGHTS_SEEN=/tmp/seen make test        (or any part of the suite; make the folder first)
    python -m tests.benchmarks.rights /tmp/seen

Exits 1 if a request was not allowed, or a right is unused that AWS itself does not use either.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from distributed_something.local.simulator import REGION
from tests.rights.callers import LAMBDA, MACHINE, OPERATOR, WORKER
from tests.rights.unseen import why_unseen
from tests.rights.verdict import statements_of

CALLERS = (OPERATOR, WORKER, MACHINE, LAMBDA)


def rights() -> Iterator[tuple[str, str, str]]:
    """Every right that a caller's policies give: policy, Sid, action."""
    for caller in CALLERS:
        for statement in statements_of(caller, REGION):
            for action in statement.content["Action"]:
                if statement.allows:
                    yield statement.policy, statement.sid, action


def main(folder: Path) -> int:
    requests: Counter[str] = Counter()
    used: Counter[str] = Counter()
    denied: set[str] = set()
    for path in folder.glob("*.json"):
        content = json.loads(path.read_text())
        requests.update(content["requests"])
        used.update(content["used"])
        denied.update(content["denied"])
    for caller in CALLERS:
        counts = [count for name, count in requests.items() if name.startswith(f"{caller} ")]
        print(f"{caller}: {sum(counts):,} requests of {len(counts)} operations")
    actions = {right.rpartition("|")[2] for right in used}
    print(f"{len(actions)} actions used, of {len({action for *_, action in rights()})} granted")
    unused = [right for right in rights() if not used["|".join(right)]]
    unknown = [right for right in unused if not why_unseen(*right)]
    for policy, sid, action in unused:
        print(f"unused: {policy}: {sid}: {action}: {why_unseen(policy, sid, action) or '?'}")
    for line in sorted(denied):
        print(f"not allowed: {line}")
    print(
        f"{len(unused)} rights unused, {len(unknown)} without a reason; {len(denied)} not allowed"
    )
    return int(bool(unknown or denied))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
