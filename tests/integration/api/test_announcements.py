"""The state of a desk's services over the API (OV-10): what is taken, refused, told, and put on the air."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ivr.announcements.announcer import Announcer
from ivr.announcements.tables import announcements
from ivr.desk.load import Desks
from ivr.prompts.build import Sounds
from tests.fakes.announcing import announcer
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line
from tests.integration.api.test_events import data, listening, next_one
from tests.unit.announcements.test_uploads import made

URL = "/v1/desks/omnivigil/announcement"
# Of different lengths, and of others than the texts of the desks: the voice here hums by the length.
FR, EN = "Une panne touche toute la région de Québec.", "An outage affects the area."
TEXTS = {"fr": FR, "en": EN}
HOUR = timedelta(hours=1)


@pytest.fixture
def on_air(line: Line, tmp_path: Path) -> Callable[[str], bytes]:
    """What a stream says now."""
    return lambda name: (tmp_path / "on-air" / f"{name}.ulaw").read_bytes()


@pytest.fixture(autouse=True)
async def loaded(line: Line) -> Announcer:
    await line.services.announcer.load()
    return line.services.announcer


async def put(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await client.put(URL, json={"texts": TEXTS} | body)


class TestText:
    async def test_all_is_well_until_something_is_announced(self, client: httpx.AsyncClient) -> None:
        state = (await client.get(URL)).json()
        assert state == {"desk": "omnivigil", "state": "normal", "in_force": None, "scheduled": None}

    async def test_it_is_kept_told_and_on_the_air_when_the_answer_comes(
        self, client: httpx.AsyncClient, line: Line, on_air: Callable[[str], bytes]
    ) -> None:
        normal = on_air("omnivigil-fr"), on_air("omnivigil-en"), on_air("hotline-2024-fr")
        answer = await put(client)
        assert answer.status_code == 200
        found = answer.json()["in_force"]
        assert (found["source"], found["texts"], found["created_by"]) == ("text", TEXTS, "console")
        assert (await client.get(URL)).json() == answer.json()
        async with line.services.store.reading() as unit:
            rows = (await unit.execute(select(announcements))).mappings().all()
        assert [(row["desk"], row["texts"]) for row in rows] == [("omnivigil", TEXTS)]
        assert on_air("omnivigil-fr") != normal[0]
        assert on_air("omnivigil-en") != normal[1]
        assert on_air("omnivigil-fr") != on_air("omnivigil-en")
        assert on_air("hotline-2024-fr") == normal[2]

    async def test_delete_restores_normal_and_again_does_no_harm(
        self, client: httpx.AsyncClient, on_air: Callable[[str], bytes]
    ) -> None:
        normal = on_air("omnivigil-fr")
        await put(client)
        for _ in range(2):
            assert (await client.delete(URL)).status_code == 204
            assert on_air("omnivigil-fr") == normal
        assert (await client.get(URL)).json()["state"] == "normal"

    async def test_a_new_one_replaces_the_one_before(self, client: httpx.AsyncClient, line: Line) -> None:
        first = (await put(client)).json()["in_force"]["id"]
        second = (await put(client, texts={"fr": "Autre panne.", "en": "Another."})).json()["in_force"]
        assert second["texts"]["fr"] == "Autre panne."
        async with line.services.store.reading() as unit:
            ended = (await unit.execute(select(announcements).where(announcements.c.id == first))).mappings().one()
        assert (ended["ended_at"], ended["ended_by"]) == (NOW, "console")

    async def test_hl1_another_desk_needs_its_own_language_only(self, client: httpx.AsyncClient) -> None:
        url = "/v1/desks/hotline-2024/announcement"
        assert (await client.put(url, json={"texts": {"fr": "Panne du cloud."}})).status_code == 200
        assert (await client.get(URL)).json()["state"] == "normal"
        refused(await client.put(url, json={"texts": TEXTS}), 422, field="texts.en")

    async def test_it_is_told_as_an_event(self, client: httpx.AsyncClient) -> None:
        async with listening(client) as stream:
            await put(client)
            await client.delete(URL)
            told = [await next_one(stream) for _ in range(2)]
        assert [event.event for event in told] == ["announcement.changed"] * 2
        assert [data(event)["state"] for event in told] == ["announced", "normal"]
        assert data(told[0])["in_force"]["texts"] == TEXTS

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"texts": {"fr": FR}}, "texts.en"),
            ({"texts": {"en": EN}}, "texts.fr"),
            ({"texts": {}}, "texts.fr"),
            ({"texts": TEXTS | {"es": "Avería"}}, "texts.es"),
            ({"texts": TEXTS | {"en": " "}}, "texts.en"),
            ({"texts": TEXTS | {"fr": "x" * 601}}, "texts.fr"),
            ({"texts": TEXTS | {"fr": "<b>Panne</b>"}}, "texts.fr"),
            ({"texts": TEXTS | {"fr": "Panne\u0007"}}, "texts.fr"),
            ({"texts": "Panne"}, "texts"),
            ({"texts": {"fr": None, "en": EN}}, "texts.fr"),
            ({"texts": TEXTS, "expires_at": NOW.isoformat()}, "expires_at"),
            ({"texts": TEXTS, "expires_at": "2026-11-18T16:00:00"}, "expires_at"),
            ({"texts": TEXTS, "expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
            (
                {
                    "texts": TEXTS,
                    "starts_at": (NOW + 2 * HOUR).isoformat(),
                    "expires_at": (NOW + HOUR).isoformat(),
                },
                "expires_at",
            ),
            ({"texts": TEXTS, "until": "demain"}, "until"),
            ({}, "texts"),
        ],
    )
    async def test_what_is_refused_names_the_field_and_changes_nothing(
        self, client: httpx.AsyncClient, on_air: Callable[[str], bytes], body: dict[str, Any], field: str
    ) -> None:
        normal = on_air("omnivigil-fr")
        refused(await client.put(URL, json=body), 422, field=field)
        assert on_air("omnivigil-fr") == normal
        assert (await client.get(URL)).json()["state"] == "normal"

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    async def test_an_unknown_desk(self, client: httpx.AsyncClient, method: str) -> None:
        body = {"texts": TEXTS} if method == "PUT" else None
        refused(await client.request(method, "/v1/desks/nowhere/announcement", json=body), 404)

    async def test_who_may_only_look(self, client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
        reader = {"Authorization": "Bearer reader"}
        assert (await client.get(URL, headers=reader)).status_code == 200
        refused(await client.put(URL, json={"texts": TEXTS}, headers=reader), 403)
        refused(await client.delete(URL, headers=reader), 403)
        refused(await stranger.put(URL, json={"texts": TEXTS}), 401)

    async def test_a_database_that_is_away_leaves_the_state_as_it_was(
        self,
        client: httpx.AsyncClient,
        on_air: Callable[[str], bytes],
        database_away: Callable[[], AbstractContextManager[None]],
    ) -> None:
        normal = on_air("omnivigil-fr")
        with database_away():
            refused(await put(client), 503)
        assert on_air("omnivigil-fr") == normal


class TestTime:
    async def test_it_starts_and_expires_by_itself(
        self, client: httpx.AsyncClient, line: Line, loaded: Announcer, on_air: Callable[[str], bytes]
    ) -> None:
        normal = on_air("omnivigil-fr")
        answer = await put(client, starts_at=(NOW + HOUR).isoformat(), expires_at=(NOW + 2 * HOUR).isoformat())
        assert answer.json()["state"] == "normal"
        assert answer.json()["scheduled"]["texts"] == TEXTS
        seen = []
        for now in (
            NOW + HOUR - timedelta(seconds=1),
            NOW + HOUR,
            NOW + 2 * HOUR - timedelta(seconds=1),
            NOW + 2 * HOUR,
        ):
            line.now = now
            await loaded.load()
            seen.append((on_air("omnivigil-fr") != normal, (await client.get(URL)).json()["state"]))
        assert seen == [(False, "normal"), (True, "announced"), (True, "announced"), (False, "normal")]

    async def test_one_for_later_leaves_what_is_in_force_and_delete_ends_both(self, client: httpx.AsyncClient) -> None:
        await put(client)
        later = await put(client, texts={"fr": "Entretien.", "en": "Maintenance."}, starts_at=(NOW + HOUR).isoformat())
        assert later.json()["in_force"]["texts"] == TEXTS
        assert later.json()["scheduled"]["texts"]["en"] == "Maintenance."
        await client.delete(URL)
        assert (await client.get(URL)).json() == {
            "desk": "omnivigil",
            "state": "normal",
            "in_force": None,
            "scheduled": None,
        }

    async def test_after_a_restart_it_is_on_the_air_again(
        self,
        client: httpx.AsyncClient,
        line: Line,
        desks: Desks,
        sounds: Sounds,
        sounds_folder: Path,
        tmp_path: Path,
        on_air: Callable[[str], bytes],
    ) -> None:
        """Even when the sounds that can be made again are gone."""
        await client.put(URL, files={"fr": made(), "en": made(rate=8000, channels=1)})
        said = on_air("omnivigil-fr")
        (tmp_path / "on-air" / "omnivigil-fr.ulaw").unlink()
        for file in (sounds_folder / "sounds" / "ov" / "fr").glob("*announcement-*"):
            file.unlink()
        again = announcer(
            store=line.services.store,
            desks=desks,
            sounds=sounds,
            folder=tmp_path,
            shared=sounds_folder,
            bus=line.services.bus,
            clock=lambda: NOW,
        )
        await again.load()
        assert on_air("omnivigil-fr") == said
        found = again.in_force("omnivigil")
        assert found is not None
        assert found.source == "wav"

    async def test_whoever_looks_after_it_is_reminded_once_per_period(
        self, client: httpx.AsyncClient, line: Line, loaded: Announcer
    ) -> None:
        await put(client)

        async def reminded_at(now: datetime) -> int:
            line.now = now
            await loaded._remind()
            async with line.services.store.reading() as unit:
                from ivr.notify.tables import outbox

                rows = (await unit.execute(select(outbox))).mappings().all()
            assert all(row["recipient"] == "support@omnivigil.com" and FR in row["body"] for row in rows)
            return len(rows)

        moments = [NOW + 3 * HOUR, NOW + 4 * HOUR, NOW + 5 * HOUR, NOW + 8 * HOUR]
        assert [await reminded_at(now) for now in moments] == [0, 1, 1, 2]
        await client.delete(URL)
        assert await reminded_at(NOW + 20 * HOUR) == 2


class TestRecordings:
    @pytest.mark.parametrize("url", [URL, URL + "/recordings"])
    async def test_two_wav_files_at_any_rate(
        self, client: httpx.AsyncClient, on_air: Callable[[str], bytes], url: str
    ) -> None:
        expiry = (NOW + HOUR).isoformat()
        files = {"fr": made(2, rate=44100), "en": made(1, rate=8000, channels=1)}
        answer = await client.put(url, files=files, data={"expires_at": expiry})
        assert answer.status_code == 200, answer.text
        found = answer.json()["in_force"]
        assert (found["source"], found["texts"]) == ("wav", {})
        assert datetime.fromisoformat(found["expires_at"]) == NOW + HOUR
        assert len(on_air("omnivigil-fr")) == pytest.approx(16000, abs=800)
        assert len(on_air("omnivigil-en")) == pytest.approx(8000, abs=800)

    @pytest.mark.parametrize(
        ("files", "data", "field"),
        [
            ({"fr": made()}, {}, "en"),
            ({"en": made()}, {}, "fr"),
            ({"fr": made(), "en": b"MP3, really"}, {}, "en"),
            ({"fr": b"", "en": made()}, {}, "fr"),
            ({"fr": made(61, rate=8000, channels=1), "en": made()}, {}, "fr"),
            ({"fr": made(), "en": made()[:44] + bytes(88200)}, {}, "en"),
            ({"fr": made(), "en": made()}, {"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
            ({"fr": made(), "en": made()}, {"starts_at": "demain"}, "starts_at"),
        ],
    )
    async def test_what_is_refused_names_the_field(
        self, client: httpx.AsyncClient, files: dict[str, bytes], data: dict[str, str], field: str
    ) -> None:
        refused(await client.put(URL, files=files, data=data), 422, field=field)
        assert (await client.get(URL)).json()["state"] == "normal"

    async def test_a_text_where_a_file_belongs(self, client: httpx.AsyncClient) -> None:
        answer = await client.put(URL, files={"en": made()}, data={"fr": "Panne"})
        refused(answer, 422, field="fr")

    async def test_only_a_form_is_taken_at_the_old_address_and_nothing_else_than_json_or_a_form(
        self, client: httpx.AsyncClient
    ) -> None:
        refused(await client.put(URL + "/recordings", json={"texts": TEXTS}), 415, field="Content-Type")
        refused(await client.put(URL, data={"fr": "Panne"}), 415, field="Content-Type")
        refused(await client.put(URL, content=made(), headers={"Content-Type": "audio/wav"}), 415, field="Content-Type")

    async def test_who_may_only_look(self, client: httpx.AsyncClient) -> None:
        reader = {"Authorization": "Bearer reader"}
        refused(await client.put(URL, files={"fr": made(), "en": made()}, headers=reader), 403)

    async def test_an_unknown_desk(self, client: httpx.AsyncClient) -> None:
        refused(await client.put("/v1/desks/nowhere/announcement", files={"fr": made(), "en": made()}), 404)

    async def test_both_kinds_of_body_are_described(self, line: Line) -> None:
        assert line.app is not None
        described = line.app.openapi()
        content = described["paths"]["/v1/desks/{desk}/announcement"]["put"]["requestBody"]["content"]
        assert content.keys() == {"application/json", "multipart/form-data"}
        name = content["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]
        assert described["components"]["schemas"][name]["properties"].keys() == {"fr", "en", "starts_at", "expires_at"}

    @pytest.mark.parametrize("url", [URL, URL + "/recordings"])
    async def test_a_form_that_is_too_large_or_none(self, client: httpx.AsyncClient, url: str) -> None:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        refused(await client.put(url, content=bytes(25 * 1024 * 1024), headers=headers), 413, field="body")
        answer = await client.put(url, content=b"\0\xffno form", headers=headers)
        assert 400 <= answer.status_code < 500
        answer = await client.put(url, content=b"--x", headers={"Content-Type": "multipart/form-data"})
        assert 400 <= answer.status_code < 500


async def test_pins_lock_and_stay_locked_over_a_restart(line: Line) -> None:
    """*58: five wrong tries, on whichever calls, lock for a quarter of an hour; the right PIN does not help."""
    from ivr.announcements.demo import demo_pins
    from ivr.announcements.pins import LOCKED, Pins

    store = line.services.store
    async with store.unit() as unit:
        await demo_pins(unit)
    now = [datetime(2026, 11, 18, 15, tzinfo=UTC)]

    def pins() -> Pins:
        # A new one for each try, as after a restart.
        return Pins(store, lambda: now[0])

    assert await pins().state(1) == "right"
    assert await pins().judge(1, "58001") == "right"
    hostile = ("58002", "*#*#", "0" * 400, "58001 ")
    assert [await pins().judge(1, dialled) for dialled in hostile] == ["wrong"] * 4
    assert await pins().judge(1, "1") == "locked"
    assert await pins().judge(1, "58001") == "locked"
    assert await pins().state(1) == "locked"
    assert await pins().state(2) == "right"
    now[0] += LOCKED - timedelta(seconds=1)
    assert await pins().judge(1, "58001") == "locked"
    now[0] += timedelta(seconds=1)
    assert await pins().judge(1, "58001") == "right"
    assert await pins().state(99) == "none"
    assert await pins().judge(99, "58001") == "none"
