"""Draw two small plates: `python make_data.py FOLDER`.

Each has 2 x 2 wells of 2 fields and 2 channels. The brightest pixel says which image it is.
"""

from __future__ import annotations

import csv
import sys
from itertools import product
from pathlib import Path

PLATES = ("BR001", "BR002")
SIZE = 128  # pixels


def main(folder: Path) -> None:
    for number, plate in enumerate(PLATES):
        images = folder / "plates" / plate / "Images"
        images.mkdir(parents=True, exist_ok=True)
        rows = []
        places = product(("A01", "A02", "B01", "B02"), (1, 2), (1, 2))
        for level, (well, field, channel) in enumerate(places, start=100 + 50 * number):
            name = f"{well}-{field}-{channel}.pgm"
            (images / name).write_bytes(draw(level))
            rows.append((well, field, channel, name))
        with (images / "Index.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("well", "field", "channel", "file"), *rows])
    print(f"{len(PLATES)} plates are in {folder}.")


def draw(level: int) -> bytes:
    """A bright square on a slope, as PGM, the plainest format there is."""
    pixels = bytearray(
        level if 40 <= x < 80 and 40 <= y < 80 else 50 * x // SIZE
        for y in range(SIZE)
        for x in range(SIZE)
    )
    return f"P5 {SIZE} {SIZE} 255\n".encode() + pixels


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_data.py FOLDER")
    main(Path(sys.argv[1]))
