"""The console over real calls: what is done in the browser is heard on the phone, and the other way round."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect
from sipsim.audio import read_ulaw
from sipsim.matching import Sound
from sipsim.phones import PhoneFarm
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.browser.conftest import SignIn, waits
from tests.browser.looking import look
from tests.browser.wire import Wire
from tests.calls.conftest import registered
from tests.calls.line import Line, wait_for


def _told(line: Line, shipped: Recogniser) -> Recogniser:
    files = (Path(line.state) / "sounds" / "ov").glob("*/announcement-????????????????.ulaw")
    return shipped.knowing(
        *(
            Sound(prompt_id="announcement", language=file.parent.name, text="", desk="", samples=read_ulaw(file))
            for file in files
        )
    )


def test_operations_open_an_incident_and_a_waiting_phone_hears_it(
    line: Line, farm: PhoneFarm, shipped: Recogniser, sign_in: SignIn
) -> None:
    """OV-10: within 10 s of the press of the button; a board that was open already shows it too."""
    registered(farm, "7001", Answering(how="ring"))
    line.api("PUT", "/v1/queues/support/members/7001")
    customer = registered(farm, "6001")
    call = customer.dial("611")
    call.wait_answered()
    wait_for(lambda: waits(line, "6001"), "the queue")
    board = sign_in("gestion")
    board.goto("/console/board")
    expect(board.locator(".part-places")).to_contain_text("Clinique du Cap")
    ops = sign_in("ops")
    ops.goto("/console/incidents")
    ops.get_by_label("la téléphonie").check()
    expect(ops.locator("[name=text_fr]")).to_have_value(
        "Nous vérifions une difficulté qui touche la téléphonie. Nos techniciens y travaillent."
    )
    ops.get_by_role("button", name="Écouter (français)").click()
    expect(ops.locator("audio").first).to_be_visible(timeout=20_000)
    ops.get_by_role("button", name="Ouvrir et annoncer").click()
    ops.wait_for_url("**/console/incidents/*")
    expect(board.locator(".part-incident")).to_contain_text("la téléphonie", timeout=10_000)
    farm.recogniser = _told(line, shipped)
    call.wait_heard("announcement", language="fr", timeout_s=15)
    ops.get_by_label("Étape").select_option("resolved")
    expect(ops.locator("[name=text_fr]")).to_have_value(
        "La panne qui touchait la téléphonie est résolue. Nous restons vigilants."
    )
    ops.get_by_role("button", name="Annoncer").click()
    expect(ops.locator("h1")).to_contain_text("Résolu")
    call.hang_up()
    wait_for(lambda: line.rows("SELECT mos FROM call_legs WHERE mos > 3"), "the score of the call")
    line.api("DELETE", "/v1/queues/support/members/7001")
    line.api("DELETE", "/v1/desks/omnivigil/announcement")


def test_an_announcement_is_recorded_in_the_browser(line: Line, sign_in: SignIn) -> None:
    """What the microphone takes is what is told, once there is one recording for each language."""
    ops = sign_in("ops")
    ops.goto("/console/announcements")
    card = ops.locator(".card", has_text="OMNIVIGIL")
    send = card.get_by_role("button", name="Annoncer ces enregistrements")
    for language in ("fr", "en"):
        expect(send).to_be_disabled()
        take = card.locator(f"[data-take={language}]")
        take.click()
        expect(take).to_have_text("Arrêter")
        ops.wait_for_timeout(2500)
        take.click()
        expect(take).to_contain_text("Enregistrer")
    send.click()
    expect(card.get_by_text("Une voix enregistrée.")).to_be_visible(timeout=15_000)
    assert line.api("GET", "/v1/desks/omnivigil/announcement")["in_force"]["source"] == "wav"
    card.get_by_role("button", name="Retour à la normale").click()
    expect(card.get_by_text("tout va bien")).to_be_visible()


def test_a_technician_sees_who_calls_while_their_phone_rings(line: Line, farm: PhoneFarm, sign_in: SignIn) -> None:
    phone = registered(farm, "7001", Answering(how="ring"))
    registered(farm, "6001")
    annie = sign_in("annie")
    annie.goto("/console/desk")
    expect(annie.get_by_text("Aucun appel ne sonne")).to_be_visible()
    annie.get_by_role("button", name="Se connecter aux files").click()
    expect(annie.get_by_role("button", name="Pause")).to_be_visible()
    call = farm.phone("6001", password="demo-6001").dial("611")
    ringing = phone.wait_ringing(30)
    card = annie.locator(".ringing-card")
    expect(card).to_contain_text("Votre téléphone sonne")
    expect(card).to_contain_text("Clinique du Cap")
    expect(card).to_contain_text("Réseaux Boréal")
    assert look(annie, "fr", "desk-ringing") == []
    ringing.pick_up()
    expect(card).to_contain_text("En conversation avec")
    call.hang_up()
    expect(annie.get_by_text("Aucun appel ne sonne")).to_be_visible(timeout=10_000)
    annie.get_by_role("button", name="Se déconnecter des files").click()


def test_a_partner_reads_no_other_partners_ticket(line: Line, sign_in: SignIn) -> None:
    mine, other = (
        line.api("POST", "/v1/tickets", json={"kind": "request", "account_number": account})["number"]
        for account in ("C-1001", "C-1002")
    )
    partner = sign_in("boreal")
    for path, status in (
        (f"portal/tickets/{mine}", 200),
        (f"portal/tickets/{other}", 404),
        (f"tickets/{mine}", 404),
        (f"tickets/{other}", 404),
        ("tickets", 404),
        ("board", 404),
        ("board/charts.json", 404),
        ("audit", 404),
    ):
        answer = partner.goto(f"/console/{path}")
        assert answer is not None
        assert answer.status == status, path
        assert status == 200 or "C-1002" not in partner.content()


def test_the_board_says_so_when_the_connection_is_lost_and_is_right_again_after(line: Line, sign_in: SignIn) -> None:
    """Lost without a word, as where a firewall forgets it, and lost for good."""
    with Wire(line.http) as wire:
        board = sign_in("gestion", port=wire.port)
        board.goto("/console/board")
        expect(board.locator(".part-technicians")).to_contain_text("Aucun technicien")
        for lose, endpoint, name in ((wire.hold, "7001", "Annie Roy"), (wire.cut, "7002", "Luc Bouchard")):
            lose()
            expect(board.locator("#lost")).to_contain_text("Connexion perdue", timeout=20_000)
            line.api("PUT", f"/v1/queues/support/members/{endpoint}")
            wire.mend()
            expect(board.locator("#lost")).to_be_hidden(timeout=60_000)
            expect(board.locator(".part-technicians")).to_contain_text(name)
            line.api("DELETE", f"/v1/queues/support/members/{endpoint}")


def test_whoever_was_signed_out_is_asked_to_sign_in(line: Line, sign_in: SignIn) -> None:
    """Another password ends the other sessions; an open board of theirs ends with them."""
    board, account = sign_in("luc"), sign_in("luc")
    board.goto("/console/board")
    account.goto("/console/account")
    account.locator("[name=old]").fill("demo-luc")
    account.locator("[name=new]").fill("trois petits mots")
    account.get_by_role("button", name="Changer").click()
    expect(account.get_by_text("Mot de passe changé")).to_be_visible()
    board.wait_for_url(re.compile("/console/sign-in"), timeout=80_000)
