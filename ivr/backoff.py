"""How long to wait before the next try."""

from __future__ import annotations

#: Seconds before each try after the first failure; the last one goes on for ever.
STEPS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


def wait_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row; none before the first try and after the first failure."""
    return STEPS_S[min(max(failures - 1, 0), len(STEPS_S) - 1)]
