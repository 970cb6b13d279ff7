"""Serve a folder's files as objects from this process, and print how much memory it came to take.

python -m tests.local.large_objects FOLDER: prints the account's variables as JSON, then, at each
line on stdin, the most MiB that were resident so far.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from distributed_something.local.simulator import Simulator

BUCKET = "lab-data"


def main(folder: Path) -> None:
    with Simulator() as simulator:
        simulator.aws().s3.create_bucket(Bucket=BUCKET)
        print(json.dumps(simulator.environment), flush=True)
        for line in sys.stdin:
            if line.strip() == "put":
                for path in sorted(folder.iterdir()):
                    simulator.put_file(BUCKET, path.name, path)
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
