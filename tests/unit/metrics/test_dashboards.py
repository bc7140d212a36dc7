"""The files for Grafana and Prometheus speak of figures that there are."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from ivr import VERSION
from ivr.calls.log import CallLog
from ivr.desk.load import load_desks
from ivr.events import EventBus
from ivr.metrics.counters import Counters
from ivr.metrics.gauges import Standing
from ivr.metrics.prometheus import LineMetrics
from ivr.probing.probes import Probes
from ivr.queueing.queue_state import QueueWatch
from ivr.settings import Settings
from ivr.store.engine import open_store

REPOSITORY = Path(__file__).parents[3]
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


@pytest.fixture
async def names(tmp_path: Path) -> set[str]:
    """Every series that there may be, as it is asked for."""
    desks = load_desks()
    store, bus, counters = open_store(f"sqlite+aiosqlite:///{tmp_path / 'none'}"), EventBus(), Counters()
    metrics = LineMetrics(
        counters=counters,
        store=store,
        bus=bus,
        watch=QueueWatch({n: q for desk in desks.values() for n, q in desk.queues.items()}, lambda: NOW),
        calls=CallLog(store, bus),
        clock=lambda: NOW,
        ami_connected=lambda: True,
        probes=Probes(store, Settings(state=tmp_path).sip, tmp_path, lambda: NOW),
    )
    metrics._standing = Standing(tickets={}, overdue=0, callbacks={}, traces={}, outbox={}, oldest_s={}, incidents={})
    found = set()
    for family in counters.registry.collect():
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        found |= {family.name + ending for ending in endings}
    await store.close()
    return found


def asked(text: str) -> set[str]:
    return set(re.findall(r"omnivigil_\w+", text))


async def test_every_panel_names_figures_that_there_are(names: set[str]) -> None:
    board = json.loads((REPOSITORY / "deploy/grafana/omnivigil.json").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert all(asked(one) for one in expressions)
    assert asked(" ".join(expressions)) <= names
    used = {re.sub("_(bucket|sum|count)$", "", name) for name in asked(" ".join(expressions))}
    assert used == {re.sub("_(bucket|sum|count)$", "", name) for name in names}, "a figure that no panel shows"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


async def test_every_alert_names_figures_that_there_are(names: set[str]) -> None:
    groups = yaml.safe_load((REPOSITORY / "deploy/prometheus/alerts.yaml").read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert all(rule["labels"]["severity"] in ("critical", "warning") for rule in rules)
    assert all(rule["annotations"].keys() == {"summary", "look"} for rule in rules)
    assert asked(" ".join(rule["expr"] for rule in rules)) <= names


def test_the_version_is_the_packages() -> None:
    assert tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"] == VERSION
