"""Draw images with a known number of nuclei: `python make_data.py FOLDER`.

Positions 2, 76 and 218 have 9, 16 and 25; the table that names them writes 002, 076 and 218, and
tells of the images where a mount of the bucket would have them. The pipeline goes with them.
"""

from __future__ import annotations

import csv
import random
import shutil
import struct
import sys
from pathlib import Path

NUCLEI = {"002": 9, "076": 16, "218": 25}
SIZE = 512  # pixels
CELL = 100  # pixels: each nucleus has a square of its own
MOUNT = "/home/ubuntu/bucket"
IMAGES = "projects/Spots/images"


def main(folder: Path) -> None:
    chance = random.Random(7)
    images = folder / IMAGES
    workspace = folder / "projects/Spots/workspace"
    for one in (images, workspace / "pipelines", workspace / "load_data_csv"):
        one.mkdir(parents=True, exist_ok=True)
    rows = [("FileName_DNA", "PathName_DNA", "Metadata_Position")]
    for position, count in NUCLEI.items():
        cells = [(row, column) for row in range(5) for column in range(5)]
        (images / f"{position}.tif").write_bytes(tiff(draw(chance, chance.sample(cells, count))))
        rows.append((f"{position}.tif", f"{MOUNT}/{IMAGES}", position))
    with (workspace / "load_data_csv/load_data.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    shutil.copy(Path(__file__).with_name("spots.cppipe"), workspace / "pipelines")
    print(f"{len(NUCLEI)} images are in {folder}.")


def draw(chance: random.Random, cells: list[tuple[int, int]]) -> bytes:
    """Round nuclei, brightest in their middle, on a dark ground; grey values row by row.

    Each has one of 5 x 5 `cells` to itself.
    """
    pixels = bytearray(chance.choices(range(12), k=SIZE * SIZE))
    for row, column in cells:
        radius = chance.randint(10, 18)
        for y in range(-radius, radius + 1):
            for x in range(-radius, radius + 1):
                away = (x * x + y * y) / (radius * radius)
                if away <= 1:
                    place = (row * CELL + 56 + y) * SIZE + column * CELL + 56 + x
                    pixels[place] = int(220 - 80 * away)
    return bytes(pixels)


def tiff(pixels: bytes) -> bytes:
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
