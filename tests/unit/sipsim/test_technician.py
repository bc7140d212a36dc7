"""*22 is a toggle: whoever is to be logged in is not logged out by it, and the other way round."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sipsim.phones import Phone
from sipsim.technician import log_in, log_out


@dataclass
class Toggled:
    """A phone whose line says what *22 has done."""

    logged_in: bool
    farm: Any = field(default_factory=lambda: SimpleNamespace(recogniser=object()))
    dialled: int = 0

    def dial(self, code: str) -> Any:
        assert code == "*22"
        self.dialled += 1
        self.logged_in = not self.logged_in
        said = "technician-login" if self.logged_in else "technician-logout"
        heard = [SimpleNamespace(prompt_id=said)]
        return SimpleNamespace(wait_ended=lambda timeout_s: None, heard=lambda: heard)


@pytest.mark.parametrize("before", [True, False])
def test_who_is_to_be_logged_in_is(before: bool) -> None:
    phone = Toggled(logged_in=before)
    assert log_in(cast(Phone, phone)) is not before
    assert (phone.logged_in, phone.dialled) == (True, 2 if before else 1)


@pytest.mark.parametrize("before", [True, False])
def test_who_is_to_be_logged_out_is(before: bool) -> None:
    phone = Toggled(logged_in=before)
    log_out(cast(Phone, phone))
    assert not phone.logged_in
