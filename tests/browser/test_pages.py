"""Every page in both languages: looked at by axe-core (WCAG 2.2 AA), on a desk's screen and a phone's."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect
from sipsim.audio import read_ulaw, read_wav, write_wav
from sipsim.phones import PhoneCall, PhoneFarm
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.browser.conftest import SignIn, waits
from tests.browser.filling import fill, report_calls
from tests.browser.looking import look, look_at
from tests.calls.conftest import registered
from tests.calls.line import Line, hear, wait_for

#: Account, the pages it looks at, and how their pictures are called; in braces are the numbers of what `filled` is.
PAGES = {
    "annie": {
        "desk": "desk",
        "board": "board",
        "tickets": "tickets",
        "ticket": "tickets/{ticket}",
        "ticket-of-call": "tickets/{traced}",
        "ticket-of-message": "tickets/{message}",
        "traces": "traces",
        "trace-report": "traces/{trace}/report",
        "menu": "menu?at=2026-12-25T10:00&caller=4185550100&press=2",
    },
    "ops": {
        "incidents": "incidents",
        "incident": "incidents/{down}",
        "incident-report": "incidents/{over}/report",
        "maintenances": "maintenances",
        "maintenance": "maintenances/{work}",
        "announcements": "announcements",
        "account": "account",
        "desk-files": "menu",
    },
    "gestion": {"reports": "reports"},
    "admin": {"accounts": "accounts", "warned": "warned", "audit": "audit"},
    "boreal": {
        "portal": "portal",
        "portal-ticket": "portal/tickets/{ticket}",
        "portal-trace-report": "portal/traces/{trace}/report",
    },
}

#: Account, an address, and how the console answers instead of a page.
REFUSED = {"annie": ("reports", 403), "ops": ("nowhere", 404), "boreal": ("tickets", 404)}

#: Beside its own pages, what the public sees where there is none.
NOWHERE = "/incidents/999999"

#: What the public sees, below a language.
PUBLIC = {
    "": "",
    "incident": "/incidents/{down}",
    "maintenance": "/maintenances/{work}",
    "subscribe": "/subscribe",
    "follow": "/follow?token=none",
    "confirm": "/confirm?token=none",
    "leave": "/leave?token=none",
}

#: After so many seconds, both ends of a call have reported on it (RTCP) twice.
_REPORTED_S = 11.0
#: A beep is over this long after the prompt before it, and who speaks has spoken this long.
_BEEP_S, _SPOKEN_S = 2.0, 4.0


@pytest.fixture(scope="module", autouse=True)
def filled(line: Line) -> dict[str, str]:
    """What there is to see, by the numbers in addresses."""
    return fill(line)


@pytest.fixture(scope="module", autouse=True)
def waiting(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhoneCall]:
    """Somebody waits, and a part of what their phone sends is lost. The only technician is in a pause."""
    with PhoneFarm(tmp_path_factory.mktemp("phones"), server=line.address, tx_drop_pct=8) as farm:
        registered(farm, "7001", Answering(how="ring"))
        line.api("PUT", "/v1/queues/support/members/7001")
        line.api("PUT", "/v1/queues/support/members/7001/pause", json={"paused": True})
        call = registered(farm, "6001").dial("611")
        call.wait_answered()
        call.press("2")
        wait_for(lambda: waits(line, "6001"), "the queue")
        yield call
        line.api("DELETE", "/v1/queues/support/members/7001")


@pytest.fixture(scope="module")
def traced(line: Line, waiting: PhoneCall) -> dict[str, str]:
    """They gave up, and reported the call (*57)."""
    time.sleep(max(0.0, waiting.began + _REPORTED_S - time.monotonic()))
    waiting.hang_up()
    call = waiting.phone.dial("*57")
    call.wait_answered()
    found = wait_for(lambda: line.api("GET", "/v1/call-traces")["items"], "the report")
    call.hang_up()
    report_calls(line)
    return {"trace": found[0]["id"], "traced": found[0]["ticket"]}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_somebody_who_waits_is_on_the_board(language: str, line: Line, sign_in: SignIn) -> None:
    board = sign_in("gestion", language=language)
    board.goto("/console/board")
    expect(board.locator(".part-places")).to_contain_text("Clinique du Cap")
    assert look(board, language, "board-waiting") == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_public_pages_are_accessible_and_fit_a_phone(
    language: str, chromium: Browser, line: Line, filled: dict[str, str]
) -> None:
    """As readers without an account, and without a script, see them."""
    context = chromium.new_context(base_url=f"http://127.0.0.1:{line.http}", bypass_csp=True)
    page, problems, here = context.new_page(), [], f"/status/omnivigil/{language}"
    for name, path in PUBLIC.items():
        problems += look_at(page, here + path.format(**filled), language, f"status-{name}".rstrip("-"))
    problems += _subscribed(page, here, language, line)
    problems += _report_read(page, here, language, line, filled["over"])
    problems += look_at(page, here + NOWHERE, language, "status-nowhere", status=404)
    context.close()
    assert problems == []


def _subscribed(page: Page, here: str, language: str, line: Line) -> list[str]:
    """By e-mail, then by text message with a wrong code, with a link that is too old; and not any more."""
    address = f"{language}@exemple.ca"
    page.goto(f"{here}/subscribe")
    problems = _sent(page, "#email", address, language, "status-asked")
    query = "SELECT body FROM outbox WHERE recipient = ? AND body LIKE '%/confirm?token=%' ORDER BY id DESC"
    token = re.findall(r"/confirm\?token=([\w-]+)", line.rows(query, address)[0][0])[0]
    page.goto(f"{here}/confirm?token={token}")
    page.get_by_role("button").click()
    problems += look(page, language, "status-confirmed")
    for name, typed in (("wrong", "12"), ("code", {"fr": "418 555-0121", "en": "418 555-0122"}[language])):
        problems += _sent(page, "#sms", typed, language, f"status-{name}")
    problems += _sent(page, "#code", "000000", language, "status-code-wrong")
    for name, path in (("stale", "confirm"), ("left", "leave")):
        page.goto(f"{here}/{path}?token=none")
        page.get_by_role("button").click()
        problems += look(page, language, f"status-{name}")
    return problems


def _report_read(page: Page, here: str, language: str, line: Line, over: str) -> list[str]:
    """Asked for on the incident's page, confirmed and read with the key that came by e-mail (OV-28)."""
    address = f"{language}@exemple.ca"
    problems = look_at(page, f"{here}/incidents/{over}", language, "status-incident-over")
    problems += _sent(page, "#address", address, language, "status-report-asked")
    key = line.rows("SELECT key FROM report_requests WHERE address = ?", address)[0][0]
    problems += look_at(page, f"{here}/incidents/{over}/report/confirm?key={key}", language, "status-report-confirm")
    page.get_by_role("button").click()
    problems += look(page, language, "status-report-confirmed")
    problems += look_at(page, f"{here}/incidents/{over}/report?key={key}", language, "status-report")
    expect(page.get_by_text("second lien" if language == "fr" else "second link")).to_be_visible()
    return problems


def _sent(page: Page, field: str, typed: str, language: str, file: str) -> list[str]:
    page.locator(field).fill(typed)
    page.locator(f"form:has({field}) button").click()
    return look(page, language, file)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_sign_in_page_is_accessible(language: str, sign_in: SignIn) -> None:
    page = sign_in("ops", language=language)
    page.get_by_role("button", name="Quitter" if language == "fr" else "Sign out").click()
    problems = look_at(page, "/console/sign-in", language, "sign-in")
    page.locator("[name=name]").fill("ops")
    page.locator("[name=password]").fill("wrong")
    page.locator("main form button").click()
    assert [*problems, *look(page, language, "sign-in-wrong")] == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_second_factor_s_codes_are_accessible_and_fit_a_phone(language: str, line: Line, sign_in: SignIn) -> None:
    page = sign_in("luc", language=language)
    page.goto("/console/account")
    form = page.locator("form[action$=second-factor]")
    # By the line's clock, which stood elsewhere when they signed in.
    now = datetime.fromisoformat(line.rows("SELECT max(created_at) FROM account_sessions")[0][0]).replace(tzinfo=UTC)
    form.locator("[name=code]").fill(pyotp.TOTP(form.locator("[name=secret]").input_value()).at(now))
    form.locator("[name=password]").fill("demo-luc")
    form.locator("button").click()
    expect(page.locator(".codes li").first).to_be_visible()
    assert look(page, language, "account-codes") == []
    removing = page.locator("form[action$=remove]")
    removing.locator("[name=password]").fill("demo-luc")
    removing.locator("button").click()
    expect(form).to_be_visible()


@pytest.fixture(scope="module")
def spoken(line: Line, shipped: Recogniser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A department that does not answer was left a message."""
    folder = tmp_path_factory.mktemp("speaking")
    said = line.sound("queue-patience")
    write_wav(folder / "said.wav", read_ulaw(said))
    with PhoneFarm(folder, server=line.address, recogniser=shipped) as farm:
        call = registered(farm, "6003").dial("18446664844")
        call.wait_heard("menu")
        call.press("3")
        hear(shipped, lambda: read_wav(call.recording), "message-record", whole=True)
        time.sleep(_BEEP_S)
        call.play(folder / "said.wav")
        time.sleep(_SPOKEN_S)
        call.hang_up()
    kept = wait_for(lambda: line.rows("SELECT ticket_number FROM messages"), "the message", 30)
    return {"message": str(kept[0][0])}


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", list(PAGES))
def test_pages_are_accessible_and_fit_a_phone(
    name: str, language: str, filled: dict[str, str], traced: dict[str, str], spoken: dict[str, str], sign_in: SignIn
) -> None:
    page = sign_in(name, language=language)
    problems = []
    for file, path in PAGES[name].items():
        problems += look_at(page, f"/console/{path.format(**filled, **traced, **spoken)}", language, file)
    if name in REFUSED:
        path, status = REFUSED[name]
        problems += look_at(page, f"/console/{path}", language, f"refused-{name}-{status}", status=status)
    assert problems == []
