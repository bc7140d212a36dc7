"""How long the simulator waits for what should come, before it says that it did not."""

from __future__ import annotations

import os

#: Makes every limit that only says « this takes far too long » so many times longer: a busy machine is slow, not wrong.
VARIABLE = "OMNIVIGIL_TEST_PATIENCE"


def patient(seconds: float) -> float:
    """A limit for a wait that ends early when all is well, in seconds, times the factor in OMNIVIGIL_TEST_PATIENCE.

    Never for a limit that the line has promised, nor for how long something lasts. Raises ValueError for a factor that
    is no number.
    """
    return seconds * float(os.environ.get(VARIABLE) or 1)
