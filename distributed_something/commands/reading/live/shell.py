"""Write the page around a look: its scripts, which show each later look in its place."""

from __future__ import annotations

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..report.page import environment
from .run import Look


def shell(title: str, look: Look | None, nonce: str) -> str:
    """The page; `nonce` marks the scripts that are its own."""
    text: str = (
        environment()
        .get_template("live.html")
        .render(
            title=title,
            main=Markup(look.html if look else ""),
            plotly=Markup(get_plotlyjs()),
            nonce=nonce,
        )
    )
    return text
