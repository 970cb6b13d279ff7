"""Join the tiles' results into one table and one picture that shows the whole tissue."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .measure import GLAND_COLOUR, OVERLAY_SCALE, STROMA_COLOUR

matplotlib.use("Agg")  # no display is needed
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Rows = list[dict[str, str]]

PAPER, INK, SOFT, FAINT = "#fbfaf7", "#22252b", "#565b66", "#8a8f99"
TISSUES = {
    "gland": tuple(c / 255 for c in GLAND_COLOUR),
    "stroma": tuple(c / 255 for c in STROMA_COLOUR),
}


@dataclass(frozen=True)
class Tile:
    """What one job made: its place in the grid, its rows and its overlay."""

    name: str
    row: int
    column: int
    nuclei: Rows
    overlay: NDArray[np.uint8]


def join_results(results: Path, output: Path) -> str:
    """Write nuclei.csv and nuclei.png into `output`, and return the table to print.

    Raises ValueError if there are no results, or if they leave a hole in the grid.
    """
    tiles = read_tiles(results)
    nuclei = joined_rows(tiles)
    output.mkdir(parents=True, exist_ok=True)
    with (output / "nuclei.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(nuclei[0]))
        writer.writeheader()
        writer.writerows(nuclei)
    figure = draw(tiles, nuclei)
    figure.savefig(output / "nuclei.png", dpi=120, facecolor=PAPER)
    pyplot.close(figure)
    return summary(nuclei, len(tiles))


def read_tiles(results: Path) -> list[Tile]:
    """Read every tile's folder below `results`, named A01 and so on."""
    folders = sorted(path.parent for path in results.rglob("nuclei.csv"))
    tiles = []
    for folder in folders:
        place = re.fullmatch(r"([A-Z])(\d\d)", folder.name)
        if place and (folder / "overlay.png").is_file():
            with (folder / "nuclei.csv").open(newline="") as file:
                nuclei = list(csv.DictReader(file))
            overlay = np.asarray(Image.open(folder / "overlay.png").convert("RGB"))
            row, column = ord(place[1]) - ord("A"), int(place[2]) - 1
            tiles.append(Tile(folder.name, row, column, nuclei, overlay))
    if not any(tile.nuclei for tile in tiles):
        raise ValueError(f"{results} holds no results; run the jobs first.")
    return tiles


def joined_rows(tiles: list[Tile]) -> Rows:
    """The rows of all tiles, their places counted from the whole picture's corner."""
    rows = []
    for tile in tiles:
        height, width = (side // OVERLAY_SCALE for side in tile.overlay.shape[:2])
        for nucleus in tile.nuclei:
            x = float(nucleus["x"]) + tile.column * width
            y = float(nucleus["y"]) + tile.row * height
            rows.append({"tile": tile.name, **nucleus, "x": f"{x:.1f}", "y": f"{y:.1f}"})
    return rows


def summary(nuclei: Rows, tiles: int) -> str:
    """A small table, a line for each tissue."""
    lines = [f"{'tissue':<8} {'nuclei':>6}  {'median area':>11}  {'length : width':>14}"]
    for tissue in (*TISSUES, "all"):
        own = [n for n in nuclei if tissue in ("all", n["tissue"])]
        if own:
            area = np.median([float(n["area"]) for n in own])
            ratio = np.median([_elongation(n) for n in own])
            lines.append(f"{tissue:<8} {len(own):>6}  {area:>8.0f} px  {ratio:>14.2f}")
    return "\n".join([f"Nuclei in {tiles} tiles", *lines])


def draw(tiles: list[Tile], nuclei: Rows) -> Figure:
    """The tissue at left; at right what was counted and measured in it."""
    pyplot.rcParams.update(
        {"font.family": "DejaVu Sans", "text.color": INK, "axes.edgecolor": FAINT}
    )
    figure = pyplot.figure(figsize=(15.4, 10))
    grid = figure.add_gridspec(
        3, 2, width_ratios=(1.75, 1), height_ratios=(0.55, 1, 1.15), left=0.03, right=0.975,
        top=0.865, bottom=0.03, wspace=0.2, hspace=0.4,
    )  # fmt: skip
    counts = Counter(nucleus["tissue"] for nucleus in nuclei)
    figure.text(0.03, 0.935, f"{len(nuclei)} nuclei in a human colon", size=25, weight="bold")
    figure.text(
        0.03, 0.897, f"{len(tiles)} tiles, a job each. Yellow: in glands, which are stained brown. "
        "Blue: in the stroma between them.", size=12.5, color=SOFT,
    )  # fmt: skip
    _draw_tissue(figure.add_subplot(grid[:, 0]), tiles)
    _draw_counts(figure.add_subplot(grid[0, 1]), counts)
    _draw_areas(figure.add_subplot(grid[1, 1]), nuclei)
    _draw_grid(figure.add_subplot(grid[2, 1]), tiles)
    return figure


def _draw_tissue(axes: Axes, tiles: list[Tile]) -> None:
    height, width = tiles[0].overlay.shape[:2]
    rows, columns = max(t.row for t in tiles) + 1, max(t.column for t in tiles) + 1
    whole = np.full((rows * height, columns * width, 3), 255, dtype=np.uint8)
    for tile in tiles:
        top, left = tile.row * height, tile.column * width
        whole[top : top + height, left : left + width] = tile.overlay
    axes.imshow(whole, interpolation="lanczos")
    for row in range(1, rows):
        axes.axhline(row * height, color="white", lw=0.8, alpha=0.55)
    for column in range(1, columns):
        axes.axvline(column * width, color="white", lw=0.8, alpha=0.55)
    for tile in tiles:
        axes.text(
            tile.column * width + 14, tile.row * height + 16, tile.name, size=8.5, va="top",
            color=INK, bbox={"boxstyle": "round,pad=0.25", "fc": "white", "lw": 0, "alpha": 0.8},
        )  # fmt: skip
    axes.set_anchor("NW")
    axes.axis("off")


def _draw_counts(axes: Axes, counts: Counter[str]) -> None:
    _title(axes, "Where the nuclei are")
    names = list(TISSUES)
    bars = axes.barh(
        names, [counts[n] for n in names], color=[TISSUES[n] for n in names], height=0.55
    )
    axes.bar_label(bars, padding=6, size=13, weight="bold", color=INK)
    axes.set_yticks(range(len(names)), ["in glands", "in stroma"], size=11.5)
    axes.set_xlim(0, 1.18 * max(counts.values()))
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    _bare(axes, "left")
    axes.tick_params(axis="y", length=0)


def _draw_areas(axes: Axes, nuclei: Rows) -> None:
    _title(axes, "How large they are")
    areas = {t: [float(n["area"]) for n in nuclei if n["tissue"] == t] for t in TISSUES}
    top = float(np.percentile([a for values in areas.values() for a in values], 98.5))
    edges = np.linspace(0, top, 26)
    for tissue, values in areas.items():
        style: dict[str, Any] = {"bins": edges, "color": TISSUES[tissue]}
        axes.hist(values, alpha=0.35, **style)
        axes.hist(values, histtype="step", lw=1.8, **style)
        if values:
            axes.axvline(float(np.median(values)), color=TISSUES[tissue], lw=1.6, ls=(0, (2, 2)))
    axes.set_xlabel("area in pixels (dotted: median)", size=10.5, color=SOFT)
    axes.set_ylabel("nuclei", size=10.5, color=SOFT)
    axes.tick_params(labelsize=10, colors=SOFT)
    axes.set_xlim(0, top)
    _bare(axes, "left", "bottom")


def _draw_grid(axes: Axes, tiles: list[Tile]) -> None:
    _title(axes, "Nuclei in each tile")
    rows, columns = max(t.row for t in tiles) + 1, max(t.column for t in tiles) + 1
    counts = np.full((rows, columns), np.nan)
    for tile in tiles:
        counts[tile.row, tile.column] = len(tile.nuclei)
    axes.imshow(counts, cmap="YlGnBu", vmin=0, vmax=1.25 * np.nanmax(counts), aspect="auto")
    for tile in tiles:
        dark = len(tile.nuclei) > 0.62 * np.nanmax(counts)
        axes.text(
            tile.column, tile.row, str(len(tile.nuclei)), ha="center", va="center", size=12,
            color="white" if dark else INK,
        )  # fmt: skip
    axes.set_xticks(range(columns), [f"{c + 1:02d}" for c in range(columns)], size=10)
    axes.set_yticks(range(rows), [chr(ord("A") + r) for r in range(rows)], size=10)
    axes.set_xticks(np.arange(0.5, columns - 1), minor=True)
    axes.set_yticks(np.arange(0.5, rows - 1), minor=True)
    axes.grid(which="minor", color=PAPER, lw=2.5)
    axes.tick_params(which="both", length=0, colors=SOFT)
    _bare(axes)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", size=14, weight="bold", color=INK, pad=10)
    axes.set_facecolor(PAPER)


def _bare(axes: Axes, *kept: str) -> None:
    for side, line in axes.spines.items():
        line.set_visible(side in kept)


def _elongation(nucleus: dict[str, str]) -> float:
    return float(nucleus["length"]) / max(float(nucleus["width"]), 1.0)
