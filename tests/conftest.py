"""What holds for every test: invented examples are judged by what comes out, never by how long a busy machine takes."""

from __future__ import annotations

import os
import random

import pytest

from tests import longest_first, thorough

thorough.load_profile()

# Before anything of the simulator is imported: its limits say « far too long », and cost nothing when all is well.
os.environ.setdefault("OMNIVIGIL_TEST_PATIENCE", "4")


def pytest_configure(config: pytest.Config) -> None:
    """Calls that failed tell what they know, and may be made once more."""
    from tests.second_try import SecondTries

    config.pluginmanager.register(SecondTries(), "second-tries")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, and no process is left with one at the end.

    OMNIVIGIL_TEST_ORDER=SEED puts them in some other order instead: no test may need one before it.
    """
    if seed := os.environ.get("OMNIVIGIL_TEST_ORDER"):
        random.Random(seed).shuffle(items)
        return
    longest_first.sort(items, longest_first.read())
