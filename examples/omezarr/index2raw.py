"""Convert a plate of PGM or PNG images to OME-Zarr, with bioformats2raw's flags.

`python index2raw.py [FLAGS] INDEX.csv OUT.ome.zarr`: the table has the columns well, field, channel
and file; files are relative to it.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import zarr
from ome_zarr.format import FormatV04
from ome_zarr.scale import Scaler
from ome_zarr.writer import write_image, write_plate_metadata, write_well_metadata
from PIL import Image

Row = dict[str, str]


def main() -> None:
    flags = read_flags()
    with flags.index.open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=place)
    if not rows:
        sys.exit(f"index2raw.py: {flags.index} names no image.")
    root = zarr.group(zarr.DirectoryStore(str(flags.zarr), dimension_separator="/"), overwrite=True)
    wells = {well: list(own) for well, own in groupby(rows, key=lambda row: row["well"])}
    write_plate_metadata(
        root,
        sorted({well[0] for well in wells}),
        sorted({well[1:] for well in wells}),
        [f"{well[0]}/{well[1:]}" for well in wells],
        fmt=FormatV04(),
    )
    root.attrs["_creator"] = {"name": "index2raw", "arguments": sys.argv[1:-2]}
    for well, own in wells.items():
        write_well(root, well, own, flags)
    print(f"{len(wells)} wells are in {flags.zarr}.")


def read_flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Convert a plate of PGM or PNG images to OME-Zarr."
    )
    parser.add_argument("--resolutions", type=int, help="how many sizes of each image")
    parser.add_argument("--tile_width", type=int, default=1024)
    parser.add_argument("--tile_height", type=int, default=1024)
    parser.add_argument(
        "--target-min-size", type=int, default=256, help="sizes go on until this width"
    )
    parser.add_argument("index", type=Path)
    parser.add_argument("zarr", type=Path)
    return parser.parse_args()


def place(row: Row) -> tuple[str, int, int]:
    return row["well"], int(row["field"]), int(row["channel"])


def write_well(root: zarr.Group, well: str, rows: list[Row], flags: argparse.Namespace) -> None:
    """One group for each field of a well, with all its channels."""
    group = root.require_group(f"{well[0]}/{well[1:]}")
    fields = dict(stacks(rows, flags.index.parent))
    write_well_metadata(group, list(fields), fmt=FormatV04())
    for name, pixels in fields.items():
        sizes = flags.resolutions or 1 + max(
            0, math.ceil(math.log2(max(pixels.shape[1:]) / flags.target_min_size))
        )
        write_image(
            pixels,
            group.require_group(name),
            scaler=Scaler(max_layer=sizes - 1) if sizes > 1 else None,
            axes="cyx",
            fmt=FormatV04(),
            storage_options={"chunks": (1, flags.tile_height, flags.tile_width)},
        )


def stacks(rows: list[Row], folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The name of each field, and its channels one on top of the other."""
    for number, (_, own) in enumerate(groupby(rows, key=lambda row: row["field"])):
        images = [np.asarray(Image.open(folder / row["file"])) for row in own]
        yield str(number), np.stack(images)


if __name__ == "__main__":
    main()
