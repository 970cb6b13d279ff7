"""See that all of a plate is there: `python check_zarr.py PLATE.ome.zarr`; any Python will do.

It follows the plate's metadata (OME-NGFF 0.4) to every array (Zarr 2), and looks whether each chunk
is there and was written to its end. What takes hours to read takes seconds to look at so.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

BLOSC_HEADER = 16  # bytes; its end is the length of the whole, its second number that of the pixels


def main(plate: Path) -> None:
    wells = [well["path"] for well in read(plate / ".zattrs")["plate"]["wells"]]
    count = 0
    for array in arrays(plate, wells):
        check_array(array)
        count += 1
    if not count:
        sys.exit(f"check_zarr.py: {plate} holds no image.")
    print(f"{plate} is whole: {len(wells)} wells, {count} arrays.")


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def arrays(plate: Path, wells: list[str]) -> Iterator[Path]:
    """Every size of every image of the wells."""
    for well in wells:
        for image in read(plate / well / ".zattrs")["well"]["images"]:
            field = plate / well / image["path"]
            for dataset in read(field / ".zattrs")["multiscales"][0]["datasets"]:
                yield field / dataset["path"]


def check_array(array: Path) -> None:
    """Raise ValueError, or OSError, if a chunk is missing or was not written to its end."""
    told = read(array / ".zarray")
    numbers = (
        range(math.ceil(size / chunk))
        for size, chunk in zip(told["shape"], told["chunks"], strict=True)
    )
    size = math.prod(told["chunks"]) * int(told["dtype"][2:])
    for place in product(*numbers):
        chunk = array / told.get("dimension_separator", ".").join(map(str, place))
        if fault := fault_of(chunk.read_bytes(), told, size):
            raise ValueError(f"the chunk {chunk} {fault}")


def fault_of(data: bytes, told: Mapping[str, Any], size: int) -> str:
    """What is wrong with a chunk whose pixels take `size` bytes; '' if nothing can be seen."""
    if not data:
        return "is empty"
    kind = (told.get("compressor") or {}).get("id")
    if kind == "blosc":
        if len(data) < BLOSC_HEADER:
            return f"ends after {len(data)} bytes"
        pixels, _, length = struct.unpack("<III", data[4:BLOSC_HEADER])
        if len(data) != length:
            return f"has {len(data)} bytes of {length}"
    elif kind in ("zlib", "gzip"):
        try:
            pixels = len(zlib.decompress(data, zlib.MAX_WBITS | 32))  # either of the two headers
        except zlib.error as error:
            return f"cannot be read: {error}"
    elif kind is None:
        pixels = len(data)
    else:
        return ""
    return (
        "" if pixels == size or told.get("filters") else f"has {pixels} bytes of pixels, not {size}"
    )


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except (KeyError, IndexError, ValueError, OSError) as error:
        sys.exit(f"check_zarr.py: {sys.argv[1:]} is not whole: {type(error).__name__}: {error}")
