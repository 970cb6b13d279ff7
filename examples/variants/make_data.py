"""Make reads whose variants are known: `python make_data.py FOLDER`.

Each sample differs from the reference by single letters, which truth.csv lists, and is read in
pieces with a wrong letter here and there, as sequencers do. The same data come out every time.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

SAMPLES = ("maize", "barley", "rice", "wheat")
LENGTH = 50_000  # letters of the reference
SNPS = 40  # a sample
READ = 150  # letters
DEPTH = 25  # reads over each letter, on average
WRONG = 0.002  # letters that the sequencer misreads
LETTERS = "ACGT"


def main(folder: Path) -> None:
    chance = random.Random(20)
    reference = "".join(chance.choices(LETTERS, k=LENGTH))
    _write(folder / "reference" / "reference.fa", f">chromosome\n{reference}\n")
    planted = []
    for sample in SAMPLES:
        changes = _plant(chance, reference)
        planted += [
            (sample, place + 1, reference[place], new) for place, new in sorted(changes.items())
        ]
        genome = "".join(changes.get(place, letter) for place, letter in enumerate(reference))
        _write(folder / "reads" / f"{sample}.fastq", "".join(_reads(chance, genome)))
    with (folder / "truth.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("sample", "position", "reference", "variant"), *planted])
    print(f"{len(SAMPLES)} samples with {SNPS} planted variants each are in {folder}.")


def _plant(chance: random.Random, reference: str) -> dict[int, str]:
    """A new letter for some places, none near another or an end."""
    room = range(READ, LENGTH - READ, READ // 2)
    return {
        place: chance.choice(LETTERS.replace(reference[place], ""))
        for place in chance.sample(room, SNPS)
    }


def _reads(chance: random.Random, genome: str) -> list[str]:
    entries = []
    for number in range(LENGTH * DEPTH // READ):
        start = chance.randrange(LENGTH - READ)
        letters = [
            chance.choice(LETTERS) if chance.random() < WRONG else letter
            for letter in genome[start : start + READ]
        ]
        entries.append(f"@read{number}\n{''.join(letters)}\n+\n{'I' * READ}\n")
    return entries


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_data.py FOLDER")
    main(Path(sys.argv[1]))
