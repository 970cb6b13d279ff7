"""Cut a real picture of stained tissue into overlapping tiles, named like the wells of a plate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage import data, io

TILES_A_SIDE = 5
TILE_SIZE = 102  # pixels; 5 x 102 of the picture's 512
MARGIN = 32  # pixels of its neighbours that a tile brings along, so that no nucleus is cut


def cut_tiles(folder: Path) -> int:
    """Write A01.png to E05.png and return their number; the picture ships with scikit-image.

    It is `immunohistochemistry`: a human colon, nuclei in blue, the protein FHL2 in brown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    picture = data.immunohistochemistry()
    first = (picture.shape[0] - TILES_A_SIDE * TILE_SIZE) // 2
    middle = picture[first : first + TILES_A_SIDE * TILE_SIZE, first:][
        :, : TILES_A_SIDE * TILE_SIZE
    ]
    padded = np.pad(middle, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="reflect")
    side = TILE_SIZE + 2 * MARGIN
    for row in range(TILES_A_SIDE):
        for column in range(TILES_A_SIDE):
            top, left = row * TILE_SIZE, column * TILE_SIZE
            name = f"{'ABCDE'[row]}{column + 1:02d}.png"
            io.imsave(folder / name, padded[top : top + side, left : left + side])
    return TILES_A_SIDE**2
