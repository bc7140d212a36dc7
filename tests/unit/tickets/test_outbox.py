"""What goes into the outbox cannot become another header of the e-mail."""

from __future__ import annotations

import pytest

from ivr.notify.outbox import header_text


@pytest.mark.parametrize("breaking", ["\r\n", "\n", "\r", "\x00", "\u2028", "\x85", "\x0b"])
def test_a_subject_stays_one_line(breaking: str) -> None:
    assert header_text(f"Billet{breaking}Bcc: all@example.com") == "Billet Bcc: all@example.com"


def test_french_signs_stay() -> None:
    assert header_text("Billet 1 : « d’urgence » – œuf") == "Billet 1 : « d’urgence » – œuf"
