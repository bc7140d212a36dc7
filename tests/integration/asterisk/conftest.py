"""One Asterisk for the tests of a worker that leave it running, and one for each test that stops it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.asterisk.real import RealAsterisk


@pytest.fixture(scope="session")
def asterisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAsterisk]:
    """Runs all the time; tests clean up what they leave in it."""
    real = RealAsterisk(tmp_path_factory.mktemp("asterisk"))
    real.start()
    yield real
    real.kill()


@pytest.fixture
def own_asterisk(tmp_path: Path) -> Iterator[RealAsterisk]:
    """Runs for one test, which may stop, freeze and restart it."""
    real = RealAsterisk(tmp_path)
    real.start()
    yield real
    real.kill()
