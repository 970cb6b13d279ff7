"""Hold the book, the help and the messages to plain words.

Each word of the list has a better one in technical English, beside it. Proper terms that use a word
of the list are allowed, such as a dead-letter queue.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# The most that may stand, in 1,000 words.
MOST = 0.3

_AVOIDED = re.compile(
    r"(?<![\w/.-])(?:"
    r"mend(?:s|ed|ing)?|see to|sees to|set right|"  # fix
    r"letters?|bur(?:y|ies|ied|ial)|hopeless|"  # dead-letter message, give up, permanent failure
    r"for good|settled|finished|"  # given up, ended, done
    r"told|tells?|telling|said of|"  # shown, reported
    r"anew|in all|the whole of it|besides|"  # again, in total, also
    r"nobody|somebody|whoever|whosesoever|"  # no one, someone, anyone who
    r"bring(?:s|ing)?|brought|"  # download
    r"looks? after|looked at|sights?|"  # watch, check, snapshot
    r"stuck|stranded|"  # stalled
    r"belongings?|wish(?:es)?"  # resource, quote
    r")(?![\w-])",
    re.IGNORECASE,
)
_PROPER = re.compile(
    r"dead[- ]letters?|letters?, digits|letters or digits|letter or digit|lower-case letters", re.I
)
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def avoided(text: str) -> list[str]:
    """The words of the list in a text, without its code and proper terms."""
    return [found[0].lower() for found in _AVOIDED.finditer(_PROPER.sub(" ", text))]


def texts_of_code() -> Iterator[str]:
    """Every text of more than a word that the program can show, and the help of its verbs."""
    for folder in ("distributed_something", "worker"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text())
            hidden = {id(node) for node in _docstrings(tree)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and id(node) not in hidden:
                    yield from [str(node.value)] if " " in str(node.value) else []


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    """The docstrings that are not shown: those of what is no verb."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) or not node.body:
            continue
        is_verb = isinstance(node, ast.FunctionDef) and "click.command" in "".join(
            map(ast.unparse, node.decorator_list)
        )
        if isinstance(node.body[0], ast.Expr) and not is_verb:
            yield node.body[0].value


def pages() -> list[Path]:
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    return [*found, *ROOT.glob("documentation/*.md"), *ROOT.glob("examples/*/README.md")]


@pytest.mark.parametrize("kind", ["book", "program"])
def test_plain_words_are_used(kind: str) -> None:
    if kind == "book":
        texts = [_CODE.sub(" ", page.read_text()) for page in pages()]
    else:
        texts = list(texts_of_code())
    words = sum(len(re.findall(r"[A-Za-z']+", text)) for text in texts)
    found = [(word, text.strip()[:60]) for text in texts for word in avoided(text)]
    assert words > 5000
    assert 1000 * len(found) / words <= MOST, found


def test_a_word_of_the_list_is_found_and_a_proper_term_is_not() -> None:
    assert avoided("Mend it first; nobody is told.") == ["mend", "nobody", "told"]
    assert avoided("The dead-letter queue keeps dead letters; letters, digits and hyphens.") == []
