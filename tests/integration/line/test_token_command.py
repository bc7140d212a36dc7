"""`./omnivigil token`: made, listed and revoked, as whoever types it sees it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ivr.__main__ import app
from ivr.accounts.api_tokens import Bearer, Tokens
from ivr.errors import BadInput, NotFound
from ivr.settings import Settings
from ivr.store.engine import open_store


def _run(state: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["token", *words, "--state", str(state)], catch_exceptions=False)


def _bearer(state: Path, token: str) -> Bearer | None:
    async def look() -> Bearer | None:
        store = open_store(Settings(state=state).database_url)
        try:
            return await Tokens(store).bearer(token)
        finally:
            await store.close()

    return asyncio.run(look())


def test_a_token_is_made_listed_and_revoked(tmp_path: Path) -> None:
    made = {
        name: _run(tmp_path, *words)
        for name, words in {
            "crm": ("crm",),
            "wall": ("--read-only", "wall"),
            "short": ("short", "--scope", "read", "--days", "7"),
        }.items()
    }
    token = {name: result.stdout.splitlines()[-1] for name, result in made.items()}
    assert _bearer(tmp_path, token["crm"]) == Bearer(name="crm", scopes=("read", "write"))
    assert _bearer(tmp_path, token["wall"]) == Bearer(name="wall", scopes=("read",))
    told = _run(tmp_path, "list").stdout
    assert all(name in told for name in made)
    assert not any(one in told for one in token.values())
    assert _run(tmp_path, "revoke", "crm").stdout == "revoked: 1\n"
    assert _bearer(tmp_path, token["crm"]) is None
    assert "crm" not in _run(tmp_path, "list").stdout


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("x", "--scope", "everything"), "--scope"),
        (("x", "--scope", "read", "--read-only"), "--scope"),
        (("x", "--read-only", "--persons"), "--persons"),
        (("x", "--days", "0"), "days"),
        (("a\nb",), "name"),
    ],
)
def test_what_cannot_be_is_told_by_its_option(tmp_path: Path, words: tuple[str, ...], field: str) -> None:
    with pytest.raises(BadInput) as raised:
        _run(tmp_path, *words)
    assert raised.value.field == field


def test_no_token_of_the_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        _run(tmp_path, "revoke", "nobody")
