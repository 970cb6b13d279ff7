"""Templates: what fills, what is refused, and that only plain names are ever looked up."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.protocol.templates import TemplateError, fields, parse, plain, render

NAMES = st.text(string.ascii_letters + string.digits + "_ -", min_size=1, max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.text())
def test_any_text_with_its_braces_doubled_renders_to_itself(text: str) -> None:
    assert render(text.replace("{", "{{").replace("}", "}}"), {}) == text


@given(st.dictionaries(NAMES, SCALARS, min_size=1), st.data())
def test_every_field_is_replaced_by_its_value_as_text(
    values: dict[str, object], data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(values)), min_size=1))
    template = "/".join(f"{{{name}}}" for name in names)
    assert render(template, values) == "/".join(plain(values[name]) for name in names)
    assert fields(template) == set(names)


@given(st.text(), st.dictionaries(NAMES, SCALARS))
def test_any_template_renders_or_says_that_it_cannot(
    template: str, values: dict[str, object]
) -> None:
    try:
        assert isinstance(render(template, values), str)
    except TemplateError as error:
        assert str(error).startswith("The template ")


@pytest.mark.parametrize(
    "template", ["{}", "{0.real}", "{plate[0]}", "{plate!r}", "{plate:{width}}", "{plate", "a}"]
)
def test_a_field_that_is_more_than_a_name_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        parse(template)


def test_a_format_works_on_a_number_and_is_refused_on_a_text() -> None:
    assert render("s{site:02d}", {"site": 7}) == "s07"
    with pytest.raises(TemplateError, match="cannot show site='7' as '02d'"):
        render("s{site:02d}", {"site": "7"})


def test_a_format_that_would_fill_memory_is_refused() -> None:
    with pytest.raises(TemplateError, match="too wide"):
        render("{site:99999999d}", {"site": 7})


def test_a_number_too_large_for_its_format_is_a_template_error() -> None:
    with pytest.raises(TemplateError, match="cannot show"):
        render("{site:.2f}", {"site": 10**400})


def test_a_missing_field_is_named_beside_those_that_are_there() -> None:
    with pytest.raises(TemplateError, match=r"names \{well\}.*it has plate, site"):
        render("{plate}/{well}", {"plate": "P1", "site": 1})


def test_booleans_and_null_are_shown_as_json_writes_them() -> None:
    assert render("{a}{b}{c}", {"a": True, "b": False, "c": None}) == "truefalse"
