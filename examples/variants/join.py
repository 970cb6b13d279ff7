"""Join all samples' calls into one table: `python join.py RESULTS TABLE.csv [TRUTH.csv]`.

With the truth, it says how many of the planted variants were found, and how many others.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

HEADER = ("sample", "position", "reference", "variant")


def main(results: Path, table: Path, truth: Path | None) -> None:
    files = sorted(results.rglob("*.vcf"))
    if not files:
        sys.exit(f"join.py: {results} holds no results; run the jobs first.")
    calls = [row for file in files for row in _calls(file)]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *calls])
    print(f"{len(calls)} variants in {len(files)} samples are in {table}.")
    if truth is not None:
        with truth.open(newline="") as file:
            planted = {tuple(row) for row in list(csv.reader(file))[1:]}
        found = set(calls)
        print(f"{len(found & planted)} of {len(planted)} planted, {len(found - planted)} others.")


def _calls(file: Path) -> list[tuple[str, ...]]:
    """The variants of one VCF file: its columns 2, 4 and 5 are position, reference, variant."""
    lines = (line.split("\t") for line in file.read_text().splitlines() if line[:1] != "#")
    return [(file.stem, columns[1], columns[3], columns[4]) for columns in lines]


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: python join.py RESULTS TABLE.csv [TRUTH.csv]")
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3:] else None)
