"""Desk files read, changed and put back by the API. No database is asked but for the tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from ivr.desk_editing.files import find
from tests.fakes.desk_files import World
from tests.integration.api.conftest import Line

FILE = "/v1/desks/omnivigil/file"


@pytest.fixture
async def editor(line: Line, world: World) -> AsyncIterator[httpx.AsyncClient]:
    """With a token that may change desks."""
    async with httpx.AsyncClient(base_url=line.url, headers={"Authorization": "Bearer editor"}) as made:
        yield made


async def test_a_part_is_changed_with_its_etag_kept_as_a_version_and_put_back(
    editor: httpx.AsyncClient, world: World
) -> None:
    file = (await editor.get(FILE)).json()
    assert (file["file"], file["read_only"], file["values"]["hours"]["friday"]) == (
        "omnivigil.yaml",
        None,
        ["08:00-12:00", "13:00-17:00"],
    )
    patch = {"hours": {"friday": ["08:00-11:00"]}, "exceptions": [{"date": "2026-12-24"}]}
    assert (await editor.patch(FILE, json=patch)).json()["field"] == "If-Match"
    seen = {"If-Match": file["etag"]}
    shown = (await editor.patch(FILE, params={"check": True}, json=patch, headers=seen)).json()
    assert (shown["in_force"], shown["etag"], world.given) == (False, file["etag"], [])
    assert "-  friday: *week" in shown["diff"]
    assert '+  friday: ["08:00-11:00"]' in shown["diff"]
    assert any("11:00" in one for one in shown["warnings"])
    friday = next(one for one in shown["heard"] if one["at"].startswith("2026-11-27T11:00"))
    assert friday["before"] != friday["after"]

    done = await editor.patch(FILE, params={"why": "Noël"}, json=patch, headers=seen)
    assert (done.status_code, done.json()["in_force"]) == (200, True)
    assert world.desks["omnivigil"].hours.friday != world.desks["omnivigil"].hours.monday
    assert (await editor.get(FILE)).headers["ETag"] == done.headers["ETag"] == done.json()["etag"]
    assert "# Dates that differ from their weekday" in (await editor.get(FILE)).json()["text"]

    # Whoever has seen the file as it was before is told.
    late = await editor.patch(FILE, json={"name": "Other"}, headers=seen)
    assert (late.status_code, late.json()["field"]) == (412, "If-Match")
    versions = (await editor.get(f"{FILE}/versions")).json()
    assert [(one["number"], one["by"], one["source"], one["why"]) for one in versions] == [(1, "desks", "api", "Noël")]
    restored = f"{FILE}/versions/1/restore"
    whole = await editor.put(FILE, json={"text": file["text"]}, headers={"If-Match": "*"})
    assert whole.json()["in_force"]
    assert (await editor.get(f"{FILE}/versions/2")).json()["text"] == file["text"]
    back = await editor.post(restored, headers={"If-Match": whole.json()["etag"]}, json={})
    assert back.json()["etag"] == done.json()["etag"]
    assert (await editor.get(f"{FILE}/versions/9")).status_code == 404


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"hours": {"monday": ["25:00-26:00"]}}, "hours.monday.0"),
        ({"id": "other"}, "id"),
        ({"departments": {"ventes": {"name": {"fr": "a\r\nb"}}}}, "departments.ventes.name.fr"),
        ({"departments": {"ventes": {"name": {"fr": "\u202egauche"}}}}, "departments.ventes.name.fr"),
        ({"texts": {"welcome": {"fr": "a\u0000b"}}}, "texts.welcome.fr"),
        ({"texts": {"welcome": {"fr": "x" * 1501}}}, "texts.welcome.fr"),
        ({"texts": {"welcome": {"fr": "${SHELL(id)}"}}}, "texts.welcome.fr"),
        ({"ical": ["../../../etc/passwd"]}, "ical.0"),
        ({"menu": {"keys": {"7": "nobody"}}}, "menu.keys.7"),
        ({"hours": None}, "hours"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
async def test_what_a_desk_cannot_be_changes_nothing_and_names_its_field(
    editor: httpx.AsyncClient, world: World, patch: dict[str, object], field: str
) -> None:
    before = find(Path(str(world.settings.desks)), "omnivigil").etag
    refused = await editor.patch(FILE, json=patch, headers={"If-Match": before})
    assert (refused.status_code, refused.json()["field"], bool(refused.json()["mend"])) == (422, field, True)
    assert find(Path(str(world.settings.desks)), "omnivigil").etag == before
    assert (world.given, world.switched) == ([], 0)


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 422, "no such field"),
        ("id: omnivigil\nname: !!python/object/apply:os.system ['id']\n", 422, "constructor"),
        ("id: omnivigil\nname: \u202eX\n", 422, "U+202E"),
        ("id: omnivigil\n" + "# x\n" * 60_000, 422, "characters"),
        ("x" * 1_100_000, 413, "larger"),
        ("- " * 5000, 422, ""),
    ],
)
async def test_a_hostile_file_is_refused_whole(
    editor: httpx.AsyncClient, world: World, text: str, status: int, told: str
) -> None:
    refused = await editor.put(FILE, json={"text": text}, headers={"If-Match": "*"})
    assert (refused.status_code, told in refused.text) == (status, True), refused.text
    assert world.switched == 0


async def test_only_a_token_that_may_change_desks_does(
    line: Line, client: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    refused = await client.patch(FILE, json={"name": "X"}, headers={"If-Match": "*"})
    assert (refused.status_code, refused.json()["mend"]) == (403, "use a token with the scope desks:write")
    assert (await client.post(f"{FILE}/versions/1/restore", json={})).status_code == 403
    assert (await client.get(FILE)).status_code == 200
    assert (await editor.get("/v1/desks/nobody/file")).status_code == 404
    # The shipped file may not be written by anybody.
    assert line.app is not None
    services = line.app.state.services
    assert (await editor.get("/v1/desks/..%2F..%2Fsecrets/file")).status_code == 404
    assert services.desk_files is not None
