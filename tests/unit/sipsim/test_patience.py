"""One factor for every limit that only says « this takes far too long »."""

from __future__ import annotations

import pytest
from sipsim.patience import VARIABLE, patient


@pytest.mark.parametrize(("factor", "limit"), [("", 10.0), ("1", 10.0), ("4", 40.0), ("0.5", 5.0)])
def test_limits_follow_the_factor(monkeypatch: pytest.MonkeyPatch, factor: str, limit: float) -> None:
    monkeypatch.setenv(VARIABLE, factor)
    assert patient(10.0) == limit


def test_without_a_factor_they_are_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    assert patient(10.0) == 10.0


def test_a_factor_that_is_no_number_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "long")
    with pytest.raises(ValueError, match="long"):
        patient(10.0)
