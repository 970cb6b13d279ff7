"""Draw a plate for the steps of Cell Painting: `python make_plate.py FOLDER`.

Wells A01 and A02 have 9 and 16 nuclei, under a light that fades to the right. Each of a well's two
focal planes shows a part of them; the projection shows all. Pipelines and tables lie where
run_batch_general.py has them for the project Spots and the batch 2026_Batch1.
"""

from __future__ import annotations

import csv
import random
import shutil
import sys
from pathlib import Path

from make_data import MOUNT, SIZE, draw, tiff

NUCLEI = {"A01": (5, 4), "A02": (9, 7)}  # in each focal plane
PLATE, SITE, BATCH = "P1", "1", "2026_Batch1"
PROJECT = "projects/Spots"
PLACE = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")


def main(folder: Path) -> None:
    chance = random.Random(11)
    images = folder / PROJECT / BATCH / "images" / PLATE
    images.mkdir(parents=True, exist_ok=True)
    cells = [(row, column) for row in range(5) for column in range(5)]
    for well, counts in NUCLEI.items():
        chosen = chance.sample(cells, sum(counts))
        for plane, count in enumerate(counts, start=1):
            pixels = shade(draw(chance, chosen[:count]))
            (images / f"{well}_s{SITE}_z{plane}.tif").write_bytes(tiff(pixels))
            del chosen[:count]
    write_tables(folder / PROJECT / "workspace" / "load_data_csv" / BATCH / PLATE)
    pipelines = folder / PROJECT / "workspace" / "pipelines" / BATCH
    shutil.copytree(Path(__file__).with_name("painting"), pipelines, dirs_exist_ok=True)
    print(f"A plate of {len(NUCLEI)} wells is in {folder}.")


def shade(pixels: bytes) -> bytes:
    """The picture on a grey ground, half as bright at its right edge as at its left one."""
    light = [1 - x / (2 * SIZE) for x in range(SIZE)]
    return bytes(int(min(255, 40 + one) * light[place % SIZE]) for place, one in enumerate(pixels))


def write_tables(folder: Path) -> None:
    """Tables of all planes, of the first of each well and of what the steps made; and a list."""
    folder.mkdir(parents=True, exist_ok=True)
    raw, made = f"{MOUNT}/{PROJECT}/{BATCH}/images/{PLATE}", f"{MOUNT}/{PROJECT}/{BATCH}"
    header = ("FileName_DNA", "PathName_DNA", *PLACE)
    wells = [(well, (PLATE, well, SITE)) for well in NUCLEI]
    planes = [(f"{well}_s{SITE}_z{z}.tif", raw, *place) for well, place in wells for z in (1, 2)]
    tables = {
        "load_data_unprojected.csv": [header, *planes],
        "load_data.csv": [header, *planes[::2]],
        "load_data_with_illum.csv": [
            (*header, "FileName_IllumDNA", "PathName_IllumDNA"),
            *(
                (
                    f"{well}_s{SITE}_DNA.tiff",
                    f"{made}/images_projected/{PLATE}",
                    *place,
                    f"{PLATE}_IllumDNA.npy",
                    f"{made}/illum/{PLATE}",
                )
                for well, place in wells
            ),
        ],
    }
    files = "".join(f"{raw}/{name}\n" for name, *_ in planes)
    (folder / "files.txt").write_text(files)
    for name, rows in tables.items():
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_plate.py FOLDER")
    main(Path(sys.argv[1]))
