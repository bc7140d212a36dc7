"""One of many that cannot be dealt with is in nobody else's way."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from ivr.errors import Unavailable
from ivr.isolation import apart


def test_the_others_have_their_turn_and_the_one_is_told_once_a_minute() -> None:
    done = []
    with capture_logs() as lines:
        for _ in range(3):
            for row in (1, 2, 3):
                with apart("a row is not dealt with", row):
                    if row == 2:
                        raise KeyError("what nobody foresaw")
                    done.append(row)
    assert done == [1, 3] * 3
    assert [(line["event"], line["which"]) for line in lines] == [("a row is not dealt with", 2)]


def test_what_is_away_is_away_for_all() -> None:
    with pytest.raises(Unavailable), apart("a row is not dealt with", 1):
        raise Unavailable
