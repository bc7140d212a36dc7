"""Whatever the directory says, Asterisk reads its configuration without a word, at its start and while it runs."""

from __future__ import annotations

import asyncio
import re
import string
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.asterisk import process, reload
from ivr.asterisk.config import unread
from ivr.directory.asterisk_rows import phone_rows
from ivr.directory.snapshot import Book
from ivr.numbers import calling_rights
from tests.integration.asterisk.real import find_runtime
from tests.rendering import Rendered, book

#: What people are called, by mistake and on purpose.
NASTY = (
    "Éloïse Bélanger, poste 12",
    '"; drop',
    "a]\n[evil](phone)\ncontext = outbound",
    "${SHELL(id)}",
    "$[1 + 1]",
    "\\",
    "x" * 300,
    "📞 ☎",
    "\u202eabc",
    "a;b",
    "<sip:1@evil>",
    "=> 1,1,System(id)",
    "{{ secrets }}{% raw %}",
    "#include /etc/passwd",
    "#exec id",
    "",
)


@pytest.fixture
def rendered(tmp_path: Path) -> Rendered:
    """Nothing yet."""
    state = tmp_path / "state"
    state.mkdir()
    return Rendered(state, find_runtime())


NAMES = st.lists(
    st.text(string.ascii_lowercase + string.digits, min_size=2, max_size=12).map(lambda text: f"p{text}"),
    min_size=1,
    max_size=12,
    unique=True,
)
RIGHTS = st.lists(st.sampled_from(calling_rights.RIGHTS), unique=True).map(tuple)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(names=NAMES, displays=st.lists(st.text(), min_size=1), rights=st.lists(RIGHTS, min_size=1, max_size=4))
def test_any_directory_gives_the_sections_of_its_phones_and_no_others(
    rendered: Rendered, names: list[str], displays: list[str], rights: list[tuple[str, ...]]
) -> None:
    """No name, however it is written, becomes configuration; and what is the same is not written again."""
    known = book(names, displays, rights)
    rendered.write(Book())
    without = re.findall(r"^\[(\S+?)\]", (rendered.etc / "pjsip.conf").read_text(), re.M)
    assert rendered.write(known) == {"pjsip.conf", "extensions.conf"}
    text = (rendered.etc / "pjsip.conf").read_text()
    assert sorted(re.findall(r"^\[(\S+?)\]", text, re.M)) == sorted(without + [name for name in names for _ in "123"])
    for line in text.splitlines():
        assert re.fullmatch(r"|;.*|\[[\w-]+\](\(\w*!?\))?|\w+ = .*", line), line
    assert rendered.write(replace(known)) == frozenset()


async def test_asterisk_reads_it_without_a_word_and_while_it_runs(rendered: Rendered) -> None:
    """First a directory without anybody, then with nasty names, then without most of them."""
    rendered.write(Book())
    asterisk = await process.start(rendered.runtime, rendered.settings)
    cli = partial(process.cli, rendered.runtime, rendered.settings)
    try:
        before = rendered.complaints()
        known = book([f"{6000 + at}" for at in range(40)], list(NASTY), [(), ("local",), calling_rights.RIGHTS])
        assert len(phone_rows(known)) == 40
        for one in (known, replace(known, endpoints=dict(list(known.endpoints.items())[:3]))):
            rendered.write(one)
            await reload.reload(cli, unread(rendered.etc))
            shown = await cli("pjsip list endpoints")
            assert set(re.findall(r"Endpoint:  (60\d\d)", shown)) == set(one.endpoints)
            dialled = await cli("dialplan show phones")
            assert set(re.findall(r"'(60\d\d)' =>", dialled)) == set(one.endpoints)
        assert rendered.complaints() == before
    finally:
        await asyncio.shield(asterisk.stop())
