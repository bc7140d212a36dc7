"""What the public sees: the worst that is, day by day, and as Statuspage's clients read it (OV-27)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from ivr.desk.load import load_desks
from ivr.incidents.model import Impact, Incident, Stage, Update
from ivr.statuspage.summary import (
    DAYS,
    components,
    incident,
    open_now,
    overall,
    page,
    service_states,
)

DESK = load_desks()["omnivigil"]
#: Half past midnight in Toronto: still the day before in some zones, the day after in UTC's eyes.
NOW = datetime(2026, 11, 25, 5, 30, tzinfo=UTC)


def made(
    began: datetime,
    *,
    ended: datetime | None = None,
    impact: Impact = "major",
    services: tuple[str, ...] = (),
    number: int = 1,
) -> Incident:
    stages: list[tuple[Stage, datetime]] = [("confirmed", began)]
    if ended is not None:
        stages.append(("resolved", ended))
    return Incident(
        id=number,
        desk="omnivigil",
        title={"fr": "Panne", "en": "Outage"},
        impact=impact,
        services=services,
        started_at=began,
        updates=tuple(
            Update(id=n, stage=stage, texts={"fr": f"Mot {n}", "en": f"Word {n}"}, at=at, by="ops")
            for n, (stage, at) in enumerate(stages, 1)
        ),
    )


#: The fields of Statuspage's own answers.
UPDATE = {
    *("id", "status", "body", "incident_id", "created_at", "updated_at", "display_at"),
    *("affected_components", "deliver_notifications", "custom_tweet", "tweet_id"),
}
INCIDENT = {
    *("id", "name", "status", "created_at", "updated_at", "monitoring_at", "resolved_at", "impact", "shortlink"),
    *("started_at", "page_id", "incident_updates", "components", "reminder_intervals"),
}
COMPONENT = {
    *("id", "name", "status", "created_at", "updated_at", "position", "description", "showcase", "start_date"),
    *("group_id", "page_id", "group", "only_show_if_degraded"),
}


def listed(incidents: list[Incident], language: str = "en") -> list[dict[str, Any]]:
    return components(DESK, service_states(DESK, incidents, NOW), language, incidents, NOW)


class TestServices:
    def test_all_is_well(self) -> None:
        states = service_states(DESK, [], NOW)
        assert [one.id for one in states] == list(DESK.services)
        assert {one.now for one in states} == {"none"}
        assert {day.worst for one in states for day in one.days} == {"none"}

    def test_days_are_the_desks_own_and_the_last_is_today(self) -> None:
        days = [day.day for day in service_states(DESK, [], NOW)[0].days]
        assert len(days) == DAYS
        assert days[-1] == date(2026, 11, 25)
        assert all(two - one == timedelta(days=1) for one, two in pairwise(days))

    def test_each_service_has_its_own_worst(self) -> None:
        incidents = [
            made(NOW - timedelta(hours=1), impact="minor", services=("telephonie",)),
            made(NOW - timedelta(minutes=5), impact="critical", services=("telephonie",), number=2),
            made(
                NOW - timedelta(days=3), ended=NOW - timedelta(days=2), impact="major", services=("portail",), number=3
            ),
        ]
        states = {one.id: one for one in service_states(DESK, incidents, NOW)}
        assert states["telephonie"].now == "critical"
        assert states["portail"].now == "none"
        # It began an hour ago, before midnight; the other one after.
        assert [day.worst for day in states["telephonie"].days[-3:]] == ["none", "minor", "critical"]
        assert [day.worst for day in states["portail"].days[-5:]] == ["none", "major", "major", "none", "none"]

    def test_what_names_no_service_touches_all(self) -> None:
        assert {one.now for one in service_states(DESK, [made(NOW, impact="minor")], NOW)} == {"minor"}

    def test_a_day_ends_where_the_next_begins(self) -> None:
        """Resolved at midnight sharp counts for the new day's first moment only."""
        midnight = datetime(2026, 11, 25, 5, 0, tzinfo=UTC)
        ended = made(midnight - timedelta(hours=2), ended=midnight - timedelta(microseconds=1))
        assert [day.worst for day in service_states(DESK, [ended], NOW)[0].days[-2:]] == ["major", "none"]

    def test_what_is_open_comes_by_its_last_word(self) -> None:
        old, new = made(NOW - timedelta(hours=2)), made(NOW - timedelta(hours=1), number=2)
        over = made(NOW - timedelta(hours=3), ended=NOW, number=3)
        assert open_now([old, over, new]) == [new, old]


class TestStatuspage:
    """Existing clients find what they look for where they look for it."""

    def test_the_overall_state(self) -> None:
        assert overall([], "en") == {"indicator": "none", "description": "All Systems Operational"}
        assert overall([made(NOW, impact="critical")], "fr")["indicator"] == "critical"
        assert overall([made(NOW, ended=NOW)], "en")["indicator"] == "none"

    def test_maintenance_is_the_state_when_nothing_worse_is(self) -> None:
        assert overall([], "en", in_work=True)["indicator"] == "maintenance"
        assert overall([made(NOW, impact="minor")], "en", in_work=True)["indicator"] == "minor"

    def test_an_incident_with_its_last_word_first(self) -> None:
        one = made(NOW - timedelta(hours=1), ended=NOW, services=("textos",))
        told = incident(one, "en", "https://status.example/omnivigil", listed([one]))
        assert (told["id"], told["name"], told["status"], told["impact"]) == ("1", "Outage", "resolved", "major")
        assert [one["body"] for one in told["incident_updates"]] == ["Word 2", "Word 1"]
        assert [one["status"] for one in told["incident_updates"]] == ["resolved", "identified"]
        assert told["resolved_at"] == "2026-11-25T05:30:00.000+00:00"
        assert told["shortlink"] == "https://status.example/omnivigil/incidents/1"

    def test_each_update_tells_what_became_of_the_components(self) -> None:
        """Clients in typed languages refuse an update without `affected_components`, or a component of an id alone."""
        one = made(NOW - timedelta(hours=1), ended=NOW, services=("textos",))
        told = incident(one, "en", "https://status.example/omnivigil", listed([one]))
        changes = [said["affected_components"] for said in told["incident_updates"]]
        assert [[(each["code"], each["old_status"], each["new_status"]) for each in said] for said in changes] == [
            [("textos", "partial_outage", "operational")],
            [("textos", "operational", "partial_outage")],
        ]
        assert {*told["incident_updates"][0]} == UPDATE
        assert [{*one} for one in told["components"]] == [COMPONENT]
        assert {*told} == INCIDENT
        everything = incident(made(NOW), "en", "", listed([]))
        assert len(everything["components"]) == len(DESK.services)

    def test_components_are_the_services(self) -> None:
        told = {one["id"]: one for one in listed([made(NOW, services=("textos",))], "fr")}
        assert told["textos"]["status"] == "partial_outage"
        assert (told["telephonie"]["name"], told["telephonie"]["status"]) == ("La téléphonie", "operational")
        assert [one["position"] for one in told.values()] == [1, 2, 3, 4]
        assert told["textos"]["updated_at"] == "2026-11-25T05:30:00.000+00:00"
        assert told["telephonie"]["updated_at"] == told["telephonie"]["created_at"] < told["textos"]["updated_at"]

    def test_the_page_tells_whose_it_is(self) -> None:
        told = page(DESK, "https://status.example/omnivigil", [], [], NOW)
        assert (told["name"], told["time_zone"]) == ("OMNIVIGIL", "America/Toronto")
