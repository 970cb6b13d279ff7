"""The command `nuclei`: read the arguments, do one step, say what came of it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run one step; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    chosen = _parser().parse_args(arguments)
    try:
        print({"cut": _cut, "measure": _measure, "join": _join}[chosen.step](chosen))
    except (OSError, ValueError) as error:
        print(f"nuclei: {error}", file=sys.stderr)
        return 1
    return 0


def _cut(chosen: argparse.Namespace) -> str:
    from .cut import cut_tiles

    return f"{cut_tiles(chosen.folder)} tiles are in {chosen.folder}."


def _measure(chosen: argparse.Namespace) -> str:
    from .measure import measure_tile

    count = measure_tile(chosen.tile, chosen.output, margin=chosen.margin)
    return f"{chosen.tile.stem}: {count} nuclei."


def _join(chosen: argparse.Namespace) -> str:
    from .join import join_results

    return join_results(chosen.results, chosen.output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nuclei", description="Count and measure nuclei.")
    steps = parser.add_subparsers(dest="step", required=True)
    cut = steps.add_parser("cut", help="cut scikit-image's picture of stained tissue into tiles")
    cut.add_argument("folder", type=Path, help="where the tiles go")
    measure = steps.add_parser("measure", help="measure the nuclei of one tile")
    measure.add_argument("tile", type=Path, help="a PNG")
    measure.add_argument("output", type=Path, help="where nuclei.csv and overlay.png go")
    measure.add_argument("--margin", type=int, default=0, help="pixels that are the neighbours'")
    join = steps.add_parser("join", help="join the tiles' results into one table and one picture")
    join.add_argument("results", type=Path, help="the folder with a folder for each tile")
    join.add_argument("output", type=Path, help="where nuclei.csv and nuclei.png go")
    return parser


if __name__ == "__main__":
    sys.exit(main())
