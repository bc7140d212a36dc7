"""How much chance tries: a little in the ordinary run, the same each time; ten times as much with
OMNIVIGIL_TEST_THOROUGH=1, each time anew.

An ordinary run that fails fails again, and one that is green says something of the change and not of the draw. What
only much trying finds is for the thorough run, before a release.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

THOROUGH = os.environ.get("OMNIVIGIL_TEST_THOROUGH") == "1"


def examples(ordinary: int, thorough: int) -> int:
    """Examples of a test that is dear: each of them asks a whole API, or lives a whole day."""
    return thorough if THOROUGH else ordinary


def load_profile() -> None:
    """What holds for every invented example. No deadline: a busy machine is slow, and not wrong."""
    settings.register_profile(
        "omnivigil",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=not THOROUGH,
        max_examples=examples(100, 1000),
        # What a derandomised run draws needs no memory of runs before it.
        database=None,
        print_blob=True,
    )
    settings.load_profile("omnivigil")
