"""Draw three slides: `python make_data.py FOLDER`; PPM files of coloured slopes."""

from __future__ import annotations

import sys
from pathlib import Path

SIZE = 600  # pixels


def main(folder: Path) -> None:
    (folder / "slides").mkdir(parents=True, exist_ok=True)
    for number in range(1, 4):
        row = bytes(value % 256 for x in range(SIZE) for value in (x, x * number, 90 * number))
        picture = f"P6 {SIZE} {SIZE} 255\n".encode() + row * SIZE
        (folder / "slides" / f"{number:02d}.ppm").write_bytes(picture)
    print(f"3 slides are in {folder}.")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_data.py FOLDER")
    main(Path(sys.argv[1]))
