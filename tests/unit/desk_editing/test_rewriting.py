"""What is changed in a desk file is all that changes in it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.desk.load import BUILT_IN, load_desk
from ivr.desk_editing.yaml_edit import CannotRewrite, rewritten, value_of
from ivr.desk_editing.yaml_positions import Node, read

SHIPPED = {file.name: file.read_text(encoding="utf-8") for file in sorted(BUILT_IN.glob("*.yaml"))}
#: As others lay their files out.
OTHERS = {
    "indented": """\
# Of another hand
a:   # beside
    - {x: 1, y: [2, 3]}   # first
    # about the second
    - x: 'it''s'
      y:
        - 2
        - "3"   # three
b: |
    two
    lines

c: &c
  d: {e: f}   # inside
g: *c
h:
i: ~
"": empty
last: "no end of line\"""",
    "windows": "a: 1 # one\r\nb:\r\n- x\r\n- y # why\r\nc: >-\r\n  folded\r\n  text\r\nd: {}\r\n",
}
#: Small ones, so that many edits are tried.
TEXTS = OTHERS | {"hotline-2024.yaml": SHIPPED["hotline-2024.yaml"]}

#: What people type, and what they do not.
_WORDS = st.one_of(
    st.sampled_from(["611", "yes", "null", "~", "", "08:00-12:00", "2026-12-24", "a: b", "a #b", "- a", "{x}", "é’«"]),
    st.text(max_size=60),
    st.lists(st.sampled_from(["Bonjour,", "faites", "le", "2.", "l’étoile", "#", "a:"]), max_size=60).map(" ".join),
)
_VALUES = st.recursive(
    _WORDS | st.integers(0, 9999),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)


def leaves(node: Node, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Node]]:
    """The scalars that nothing else stands for, by their path."""
    if node.kind == "alias" or node.anchored:
        return
    if node.kind == "map":
        for name, one in node.entries():
            yield from leaves(one, (*path, name))
    elif node.kind == "seq":
        for at, one in enumerate(node.items):
            yield from leaves(one, (*path, at))
    else:
        yield path, node


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def as_read(value: Any) -> Any:
    """What is written, as it is read again."""
    if isinstance(value, dict):
        return {name: as_read(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_read(one) for one in value]
    return None if value is None else str(value)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_another_word_leaves_every_other_character_as_it_is(data: st.DataObject) -> None:
    text = TEXTS[data.draw(st.sampled_from(sorted(TEXTS)))]
    path, node = data.draw(st.sampled_from(list(leaves(read(text)))))
    wanted = value_of(text)
    at(wanted, path[:-1])[path[-1]] = data.draw(_WORDS)
    written = rewritten(text, wanted)
    assert value_of(written) == as_read(wanted)
    before = text[: node.start].rstrip(" \r\n")
    assert written.startswith(before)
    line, below = text[node.end :].partition("\n")[::2]
    assert written.endswith(below)
    assert line.strip() in written[len(before) :]


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_other_value_anywhere_is_read_again_and_no_comment_outside_of_it_is_lost(data: st.DataObject) -> None:
    text = TEXTS[data.draw(st.sampled_from(sorted(TEXTS)))]
    wanted = value_of(text)
    parts = [wanted]
    for _ in range(data.draw(st.integers(0, 3))):
        inner = parts[-1].values() if isinstance(parts[-1], dict) else parts[-1]
        below = [one for one in inner if isinstance(one, (dict, list)) and one]
        if not below:
            break
        parts.append(data.draw(st.sampled_from(below)))
    part = parts[-1]
    names = list(part) if isinstance(part, dict) else list(range(len(part)))
    gone = data.draw(st.sampled_from(names))
    removed = copy.deepcopy(part[gone])
    match data.draw(st.sampled_from(["change", "remove", "add"])):
        case "change":
            part[gone] = data.draw(_VALUES)
        case "remove":
            del part[gone]
        case "add" if isinstance(part, dict):
            part[data.draw(_WORDS.filter(lambda name: name not in part))] = data.draw(_VALUES)
        case _:
            part.insert(gone, data.draw(_VALUES))
    written = rewritten(text, wanted)
    assert value_of(written) == as_read(wanted)
    if not isinstance(removed, (dict, list)) and isinstance(part, dict) and len(parts) == 1 and part:
        kept = [line for line in text.splitlines() if line.lstrip().startswith("#")]
        assert [line for line in written.splitlines() if line in kept] == kept


def test_one_day_of_a_week_that_all_share_leaves_the_other_days() -> None:
    text = SHIPPED["omnivigil.yaml"]
    wanted = value_of(text)
    wanted["hours"]["monday"] = ["09:00-12:00"]
    written = rewritten(text, wanted)
    assert '  monday: ["09:00-12:00"]\n  tuesday: &week ["08:00-12:00", "13:00-17:00"]\n' in written
    assert "  wednesday: *week\n" in written
    wanted["hours"] = {day: ["10:00-11:00"] for day in wanted["hours"]}
    assert value_of(rewritten(written, wanted)) == wanted


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_numbers_stay_numbers_and_long_texts_are_folded(name: str, tmp_path: Path) -> None:
    wanted = value_of(SHIPPED[name])
    queue = next(iter(wanted["queues"]))
    wanted["queues"][queue] |= {"wrapup_s": 40, "ring_s": 21}
    long = "Pour le soutien technique, faites le 2. " * 5 + "Merci."
    wanted["texts"]["menu"]["fr"] = long
    written = rewritten(SHIPPED[name], wanted)
    assert "wrapup_s: 40\n" in written
    assert "ring_s: 21\n" in written
    assert max(len(line) for line in written.splitlines()) <= 120
    file = tmp_path / name
    file.write_text(written, encoding="utf-8")
    assert load_desk(file).texts["menu"]["fr"] == long


def test_what_cannot_be_put_into_the_layout_is_refused_and_named() -> None:
    with pytest.raises(CannotRewrite, match="as it is laid out"):
        rewritten("a: 1\na: 2\n", {"a": "3"})
