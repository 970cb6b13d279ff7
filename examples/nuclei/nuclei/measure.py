"""Find the nuclei of one tile, measure them, and draw them: nuclei.csv and overlay.png."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage import color, feature, filters, io, measure, morphology, segmentation

Picture = NDArray[np.uint8]
Plane = NDArray[np.float64]
Labels = NDArray[np.int32]

SMALLEST = 40  # pixels; what is smaller is a speck
BROWN = 0.045  # DAB around a nucleus above which it lies in a gland
OVERLAY_SCALE = 4
SMOOTHING = 2  # the overlay is drawn this many times larger still, and shrunk
GLAND_COLOUR, STROMA_COLOUR = (255, 196, 0), (0, 84, 255)


@dataclass(frozen=True)
class Nucleus:
    """One nucleus; x and y in pixels from the tile's upper left corner without its margin."""

    nucleus: int
    x: float
    y: float
    area: int  # pixels
    length: float  # pixels, of the ellipse with the same moments
    width: float  # pixels
    haematoxylin: float  # mean optical density inside
    brown: float  # mean optical density of DAB around it
    tissue: str  # gland or stroma


def measure_tile(tile: Path, output: Path, *, margin: int = 0) -> int:
    """Write the tile's nuclei.csv and overlay.png, and return how many nuclei are its own.

    A nucleus belongs to the tile that its centre lies in; the margin's are drawn, not counted.
    Raises OSError for a file that does not exist, ValueError for a picture without colours.
    """
    picture = io.imread(tile)
    if picture.ndim != 3 or picture.shape[2] < 3:
        raise ValueError(f"{tile} has no colours; the stains are told apart by them.")
    picture = picture[..., :3]
    if min(picture.shape[:2]) <= 2 * margin:
        raise ValueError(f"{tile} is no larger than its margins of {margin} pixels.")
    stains = color.rgb2hed(picture)
    labels = find_nuclei(stains[..., 0])
    nuclei = measure_nuclei(labels, stains[..., 0], stains[..., 2], margin)
    output.mkdir(parents=True, exist_ok=True)
    own = [n for n in nuclei if _is_inside(n, labels.shape, margin)]
    _write_table(output / "nuclei.csv", own)
    draw_overlay(picture, labels, nuclei, margin).save(output / "overlay.png")
    return len(own)


def find_nuclei(haematoxylin: Plane) -> Labels:
    """Label the nuclei: what is darker than its surroundings, split by a watershed."""
    smooth = filters.gaussian(haematoxylin, 1.5)
    surroundings = filters.gaussian(haematoxylin, 16)
    mask = (smooth > 1.08 * surroundings + 0.0015) & (smooth > 0.014)
    mask = ndimage.binary_opening(mask, morphology.disk(2))
    mask = ndimage.binary_fill_holes(mask)
    height = filters.gaussian(ndimage.distance_transform_edt(mask), 1)
    height = height + 60 * filters.gaussian(haematoxylin, 2.5)
    peaks = feature.peak_local_max(
        height, min_distance=5, labels=measure.label(mask), exclude_border=False
    )
    seeds = np.zeros(mask.shape, dtype=np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = segmentation.watershed(-height, seeds, mask=mask)
    small = np.bincount(labels.ravel()) < SMALLEST
    labels[small[labels]] = 0
    relabelled: Labels = segmentation.relabel_sequential(labels)[0].astype(np.int32)
    return relabelled


def measure_nuclei(labels: Labels, haematoxylin: Plane, dab: Plane, margin: int) -> list[Nucleus]:
    """Measure every labelled nucleus, and the brown stain of the cell around it."""
    numbers = np.arange(1, labels.max() + 1)
    cells = segmentation.expand_labels(labels, 3)
    dark = ndimage.mean(haematoxylin, labels, numbers)
    brown = ndimage.mean(filters.gaussian(dab, 5), cells, numbers)
    return [
        Nucleus(
            nucleus=region.label,
            x=round(region.centroid[1] - margin, 1),
            y=round(region.centroid[0] - margin, 1),
            area=int(region.area),
            length=round(region.axis_major_length, 1),
            width=round(region.axis_minor_length, 1),
            haematoxylin=round(float(density), 4),
            brown=round(float(stain), 4),
            tissue="gland" if stain > BROWN else "stroma",
        )
        for region, density, stain in zip(measure.regionprops(labels), dark, brown, strict=True)
    ]


def draw_overlay(
    picture: Picture, labels: Labels, nuclei: list[Nucleus], margin: int
) -> Image.Image:
    """The tile without its margin, enlarged, each nucleus outlined in the colour of its tissue."""
    scale = OVERLAY_SCALE * SMOOTHING
    large = Image.fromarray(picture).resize(
        (picture.shape[1] * scale, picture.shape[0] * scale), Image.Resampling.BICUBIC
    )
    ink = ImageDraw.Draw(large, "RGBA")
    for nucleus in nuclei:
        colour = GLAND_COLOUR if nucleus.tissue == "gland" else STROMA_COLOUR
        for outline in _outlines(labels == nucleus.nucleus):
            points = [((x + 0.5) * scale, (y + 0.5) * scale) for y, x in outline]
            ink.polygon(points, fill=(*colour, 40))
            ink.line(points, fill=(*colour, 255), width=scale // 2 + 1, joint="curve")
    edge = margin * scale
    core = large.crop((edge, edge, large.width - edge, large.height - edge))
    return core.resize((core.width // SMOOTHING, core.height // SMOOTHING), Image.Resampling.BOX)


def _outlines(mask: NDArray[np.bool_]) -> list[Plane]:
    softened = filters.gaussian(np.pad(mask, 2).astype(float), 0.8)
    return [outline - 2 for outline in measure.find_contours(softened, 0.5)]


def _is_inside(nucleus: Nucleus, shape: tuple[int, ...], margin: int) -> bool:
    height, width = shape[0] - 2 * margin, shape[1] - 2 * margin
    return -0.5 <= nucleus.x < width - 0.5 and -0.5 <= nucleus.y < height - 0.5


def _write_table(path: Path, nuclei: list[Nucleus]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Nucleus)])
        writer.writeheader()
        writer.writerows(asdict(nucleus) for nucleus in nuclei)
