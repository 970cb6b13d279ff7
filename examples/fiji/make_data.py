"""Draw images with a known number of discs: `python make_data.py FOLDER`.

disc_07.tif has 7 of them. The macro that counts them goes where the config looks for it.
"""

from __future__ import annotations

import random
import shutil
import struct
import sys
from pathlib import Path

COUNTS = (7, 12, 20)
SIZE = 512  # pixels
CELL = 100  # pixels: each disc has a square of its own
RADIUS = (6, 30)  # pixels


def main(folder: Path) -> None:
    chance = random.Random(4)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "scripts").mkdir(exist_ok=True)
    for count in COUNTS:
        path = folder / "images" / f"disc_{count:02d}.tif"
        path.write_bytes(_tiff(_draw(chance, count)))
    shutil.copy(Path(__file__).with_name("spots.ijm"), folder / "scripts")
    print(f"{len(COUNTS)} images are in {folder}.")


def _draw(chance: random.Random, count: int) -> bytes:
    """Discs on a dark, noisy ground, grey values row by row."""
    pixels = bytearray(chance.choices(range(60), k=SIZE * SIZE))
    cells = [(row, column) for row in range(5) for column in range(5)]
    for row, column in chance.sample(cells, count):
        radius = chance.randint(*RADIUS)
        middle = CELL // 2 + 6
        for y in range(-radius, radius + 1):
            for x in range(-radius, radius + 1):
                if x * x + y * y <= radius * radius:
                    place = (row * CELL + middle + y) * SIZE + column * CELL + middle + x
                    pixels[place] = chance.randrange(150, 256)
    return bytes(pixels)


def _tiff(pixels: bytes) -> bytes:
    """The simplest TIFF: eight bits of grey, in one strip, after a directory of ten entries."""
    long, short = 4, 3
    start = 8 + 2 + 10 * 12 + 4
    entries = [
        (256, long, SIZE), (257, long, SIZE), (258, short, 8), (259, short, 1), (262, short, 1),
        (273, long, start), (277, short, 1), (278, long, SIZE), (279, long, SIZE * SIZE),
        (296, short, 1),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + pixels


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_data.py FOLDER")
    main(Path(sys.argv[1]))
