"""See that all of a plate is there and can be read: `python check_zarr.py PLATE.ome.zarr`."""

from __future__ import annotations

import sys

import zarr


def main(path: str) -> None:
    plate = zarr.open_group(path, mode="r")
    wells = [well["path"] for well in plate.attrs["plate"]["wells"]]
    arrays = 0
    for well in wells:
        for image in plate[well].attrs["well"]["images"]:
            field = plate[f"{well}/{image['path']}"]
            for dataset in field.attrs["multiscales"][0]["datasets"]:
                field[dataset["path"]][:]  # a chunk that is damaged cannot be read
                arrays += 1
    if not arrays:
        sys.exit(f"check_zarr.py: {path} holds no image.")
    print(f"{path} is whole: {len(wells)} wells, {arrays} arrays.")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (KeyError, ValueError, RuntimeError, OSError) as error:
        sys.exit(f"check_zarr.py: {sys.argv[1:]} is not whole: {type(error).__name__}: {error}")
