"""E-mails to confirm: strangers on many networks leave room for everybody else."""

from __future__ import annotations

from ivr.refusals import Refusals
from ivr.subscriptions import rules
from ivr.subscriptions.admission import Admission


class Page:
    """One page's requests, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reasons: list[str] = []
        self.admission = Admission("page", Refusals(count=self.reasons.append), lambda: self.now)

    def admits(self, client: str) -> bool:
        return self.admission.admits(client)


def test_five_hundred_strangers_lock_nobody_out() -> None:
    page = Page()
    strangers = [f"10.{n // 250}.{n % 250}.7" for n in range(520)]
    assert sum(map(page.admits, strangers)) == 520
    # Now each may ask for few, and who comes from elsewhere is served as before.
    assert [page.admits("192.0.2.9") for _ in range(4)] == [True, True, False, False]
    assert page.reasons == ["page-pressed"] * 2
    assert page.admits("198.51.100.1")


def test_a_region_full_of_networks_is_one_stranger_when_it_counts() -> None:
    page = Page()
    for n in range(rules.EASY_AN_HOUR):
        page.admits(f"10.{n // 250}.{n % 250}.7")
    many = [page.admits(f"2001:db8:{n:x}::1") for n in range(200)]
    assert sum(many) == rules.FEW_FROM_REGION
    assert page.admits("2001:db9::1")
    page.now = 3600.0
    assert page.admits("2001:db8:fff::1")


def test_an_address_of_the_old_kind_in_the_new_one_is_the_old_one() -> None:
    assert rules.network_of("::ffff:192.0.2.9") == rules.network_of("192.0.2.77") == "192.0.2.0/24"
    assert rules.region_of("192.0.2.9") == "192.0.0.0/16"
    assert rules.region_of("nonsense") == "unknown"


def test_in_all_there_is_an_end() -> None:
    page = Page()
    admitted = sum(page.admits(f"{n % 200}.{n // 200 % 250}.{n // 50000}.1") for n in range(rules.MOST_AN_HOUR + 50))
    assert admitted == rules.MOST_AN_HOUR
    assert page.reasons == ["page-all"] * 50
