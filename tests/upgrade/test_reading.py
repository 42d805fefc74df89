"""Frozen words are read back as they were meant."""

import pytest

from midflight.upgrade.reading import Part, read_part, read_rewrite, read_signature, said, split
from midflight.upgrade.types import annotation, step
from midflight.upgrade.wording import contract_in_words
from midflight.versions import Version
from tests.upgrade.cloudlet import cloudlet


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("str", Part("str")),
        (
            "dict[str, Disk | None], default {'a, b': 1}, since 2.2, until 2.4",
            Part("dict[str, Disk | None]", "{'a, b': 1}", Version(2, 2), Version(2, 4)),
        ),
        ("str {pattern '^[a, )]$'}, lazy", Part("str {pattern '^[a, )]$'}", marks=frozenset({"lazy"}))),
        ("str, default 'it\\'s, since 1.0'", Part("str", "'it\\'s, since 1.0'")),
        ("Power(off | on), default off, moves {off to on}", Part("Power(off | on)", "off", moves="{off to on}")),
    ],
)
def test_a_field_is_read_whatever_its_texts_hold(text: str, part: Part) -> None:
    """Commas and words in quotations and brackets belong to them."""
    assert read_part(text) == part


def test_a_signature_is_read_argument_by_argument() -> None:
    """With defaults, ages and marks."""
    found = read_signature(
        "(a: dict[str, int] = {}, hard: bool = False since 4.1) -> str | None, since 3.0, idempotent"
    )
    assert found.parameters == {"a": Part("dict[str, int]", "{}"), "hard": Part("bool", "False", Version(4, 1))}
    assert (found.returns, found.since, found.marks) == ("str | None", Version(3, 0), frozenset({"idempotent"}))
    assert read_signature("() -> None").parameters == {}


def test_a_rewrite_is_read_with_what_it_touches() -> None:
    """Files from before bodies were digested are still read."""
    found = read_rewrite("before 1.17, body 5f3c91aa, on power state: Before 1.17: never.")
    assert (found.at, found.digest, found.says) == (Version(1, 17), "5f3c91aa", "Before 1.17: never.")
    assert found.touches == {"power", "state"}
    assert read_rewrite("before 1.17: Why.").digest == ""


def test_all_that_a_project_says_is_read() -> None:
    """Both majors of an interface, its adapters, and every object but midflight's own."""
    read = said(contract_in_words(cloudlet().contract))
    assert list(read.objects) == ["Disk", "Instance", "InstanceList"]
    api = read.interfaces["compute"]
    assert (list(api.endpoints), list(api.endpoints[3])) == ([4, 3], ["build_instance", "power"])
    assert api.endpoints[3]["build_instance"].marks == {"heard only"}
    assert list(api.adapters) == ["build.adapt_before_4"]


def test_separators_in_brackets_and_quotations_do_not_count() -> None:
    """Escaped quotes neither."""
    assert split("a, (b, c), 'd, \\', e', f", ", ") == ["a", "(b, c)", "'d, \\', e'", "f"]


@pytest.mark.parametrize(
    ("old", "new", "wider", "narrower"),
    [
        ("int", "int", False, False),
        ("int", "int | None", True, False),
        ("int | None", "int", False, True),
        ("int", "float", True, False),
        ("float", "int", True, True),
        ("str", "str {max_length 8}", False, True),
        ("str {max_length 8}", "str", True, False),
        ("str {max_length 8}", "str {max_length 9}", True, True),
        ("P(a | b)", "P(b | a)", False, False),
        ("P(a | b)", "Q(a | b)", False, False),
        ("P(a | b)", "P(a | b | c) | None", True, False),
        ("list[P(a | b)]", "list[P(a)]", False, True),
        ("P(a | else a)", "P(a | b | else a)", False, False),
        ("P(a | b)", "P(a | else a)", False, False),
        ("P(a | b)", "P(a)", False, True),
        ("str", "P(a | 'b c')", False, True),
        ("str | None", "('a', 'b') | None", False, True),
        ("P(a | b)", "str", True, False),
        ("str", "P(1 | 2)", True, True),
        ("str", "P(a | True)", True, True),
        ("dict[str, P(a)]", "dict[str, list[P(a)]]", True, True),
    ],
)
def test_what_one_type_says_that_another_refuses(old: str, new: str, wider: bool, narrower: bool) -> None:
    """What cannot be told is both."""
    found = step(old, new)
    assert (found.wider, found.narrower) == (wider, narrower)


def test_an_annotation_is_what_a_programmer_would_write() -> None:
    """For the suggestions."""
    assert annotation("list[Power(off | on)] | None") == "list[Power] | None"
    assert annotation("str {pattern 'x'}") == "str"
    assert annotation("('slow', 'fast')") == "Literal['slow', 'fast']"
