"""Fill a knapsack as well as it can be done, and write what it took to results.csv."""

from __future__ import annotations

import argparse
import csv
import os
import random
import time
from pathlib import Path

SETTINGS = Path("/tmp/solver/settings.txt")  # written by install.sh


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    flags = parser.parse_args()
    chance = random.Random(flags.seed)
    items = [(chance.randint(10, 200), chance.randint(1, 100)) for _ in range(flags.items)]
    began = time.perf_counter()
    value = best_value(items, int(SETTINGS.read_text().split("=")[1]))
    seconds = time.perf_counter() - began
    where = os.environ["INSTANCE_TYPE"]
    with Path("results.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("tag", "instance_type", "items", "seed", "value", "seconds"),
                (os.environ["TAG"], where, flags.items, flags.seed, value, f"{seconds:.4f}"),
            ]
        )
    print(f"{os.environ['TAG']} on a {where}: value {value} in {seconds:.4f} s")


def best_value(items: list[tuple[int, int]], capacity: int) -> int:
    """The most value that fits, by dynamic programming over the weight that is left."""
    best = [0] * (capacity + 1)
    for weight, value in items:
        for room in range(capacity, weight - 1, -1):
            best[room] = max(best[room], best[room - weight] + value)
    return best[capacity]


if __name__ == "__main__":
    main()
