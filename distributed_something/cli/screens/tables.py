"""Tables as all screens have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def plain_table(*columns: str) -> Table:
    """A table without lines; the names in its first column are never broken, but those of jobs."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, name in enumerate(columns):
        table.add_column(name, overflow="fold", no_wrap=place == 0 and name != "job")
    return table


def plain_grid(rows: Iterable[tuple[str, str]]) -> Table:
    """Names and what they stand for, without lines."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def boxed_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table with lines, in which no name is cut short."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def facts_table(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    """Names and what they stand for, below a title."""
    table = Table(title=title, title_justify="left", show_header=False)
    for row in rows:
        table.add_row(*row)
    return table


def indented(text: str, style: str = "") -> Padding:
    """Lines of another program, apart from ours."""
    return Padding(Text(text, style=style), (0, 0, 0, 2), expand=False)
