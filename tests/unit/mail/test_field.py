"""E-mails as the field sends them: tests/mails holds one file of each kind, named by the kind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.mail.archive import safe_name
from ivr.mail.parser import Mail, Unreadable, attachment, glimpse, parse
from ivr.mail.quoting import fold, only_thanks
from ivr.mail.rules import Automatic, automatic, behind, comes_by_ours, tickets_meant, wants_no_answer
from ivr.mail.thread_matching import _only_noted

MAILS = Path(__file__).parents[2] / "mails"
OURS = frozenset({"soutien@ligne.example"})
LISTS = frozenset({"groupe-soutien.hebergeur.example"})
JULIE = "julie@clinique.example"


def named(begins: str) -> list[str]:
    return sorted(path.stem for path in MAILS.glob(f"{begins}*.eml"))


def content(name: str) -> bytes:
    return (MAILS / f"{name}.eml").read_bytes()


def mail(name: str) -> Mail:
    return parse(content(name))


def judged(name: str, return_path: str = JULIE) -> tuple[Mail, Automatic | None]:
    """Who wrote it, and whether a program did, as the mail room finds out."""
    one = mail(name)
    ours = comes_by_ours(one, ours=OURS, lists=LISTS)
    writer = behind(one, ours=OURS, by_our_list=ours, known=one.sender == JULIE)
    form = one.sender in OURS and writer.sender not in OURS
    program = automatic(
        writer, return_path=return_path, domain="ligne.example", ours=OURS, by_our_list=ours, by_our_form=form
    )
    return writer, program


@pytest.mark.parametrize("name", named("from-"))
def test_one_address_in_angle_brackets_is_enough(name: str) -> None:
    """Issue 19, kind 15."""
    found = mail(name)
    assert (found.sender, found.vouched, found.body) == (JULIE, True, "Nos postes sont muets.")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("from-comma", "Tremblay, Julie"),
        ("from-address-as-name", ""),
        ("from-brackets", "Julie [Clinique du Cap]"),
        ("from-encoded-comma-unquoted", "Tremblay, Renée"),
        ("from-address-then-comment", "Julie, poste 201"),
    ],
)
def test_the_name_beside_it(name: str, said: str) -> None:
    assert mail(name).sender_name == said


def test_an_address_in_an_encoded_from_gives_no_rights() -> None:
    found = parse(b"From: =?utf-8?Q?Julie_<julie=40clinique.example>?=\r\n\r\nx")
    assert (found.sender, found.vouched) == (JULIE, False)


@pytest.mark.parametrize("name", named("unreadable-"))
def test_what_cannot_be_read_says_why_and_what_it_was(name: str) -> None:
    with pytest.raises(Unreadable, match="no single From address"):
        mail(name)
    seen = glimpse(content(name))
    assert seen.subject == "Postes muets"
    assert seen.message_id is not None


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("html-outlook", "Bonjour,\n\nLe poste 12 à Québec ne sonne plus.\n\n1. hier"),
        ("html-custom-tags", "Le poste 12 ne sonne plus."),
        ("html-table", "Poste 12\n\nÉtat muet"),
        ("html-word-xml-island", "Le poste 12 ne sonne plus."),
        ("html-body-text-footer", "Le poste 12 ne sonne plus.\n\nAnalysé par l’antivirus."),
        ("alternative-enriched", "Le télécopieur est occupé, < 2 minutes."),
        ("alternative-amp", "Le télécopieur est occupé."),
        ("alternative-html-empty-plain", "Le télécopieur est occupé."),
        ("alternative-vcard", "Le télécopieur est occupé."),
        ("iphone-text-picture-text", "Voici la photo :\n\nLe voyant est rouge."),
        ("signed-pgp-inline", "Le poste 204 est muet."),
        ("charset-gb2312-that-is-gbk", "電話不通 L"),
        (
            "invitation-request",
            "Voici l’invitation.\n\n"
            "Invitation : Visite du technicien, 2026-11-25 13:00–14:00 (America/Toronto), Salle 2",
        ),
        ("invitation-cancelled", "Invitation annulée : Visite du technicien, 2026-11-25 13:00–14:00 (America/Toronto)"),
        ("invitation-alone", "Invitation : Déménagement, 2026-12-01"),
        ("invitation-damaged", "Voici.\n\nInvitation"),
    ],
)
def test_text_as_a_person_reads_it(name: str, body: str) -> None:
    """Issue 19, kinds 16, 22, 31 and 34."""
    assert mail(name).body == body


@pytest.mark.parametrize("name", [one for one in named("charset-") if "gbk" not in one and "bad" not in one])
def test_charsets_that_call_themselves_others(name: str) -> None:
    """Issue 19, kind 18."""
    assert mail(name).body == "L’appareil coûte 25 € – « cœur »…"


def test_headers_in_another_charset_too_and_one_bad_byte_spoils_one_sign() -> None:
    assert mail("charset-latin1-that-is-1252").subject == "L’appareil €"
    assert mail("charset-none-raw-headers").subject == "Téléphone coupé"
    assert mail("charset-utf8-with-one-bad-byte").body.count("L’appareil coûte 25 €") == 2


@pytest.mark.parametrize("raw", ["Résumé d’appel.pdf".encode(), "Résumé d’appel.pdf".encode("cp1252")])
def test_names_of_files_in_raw_bytes(raw: bytes) -> None:
    head = b'From: a@b.example\r\nContent-Type: application/pdf; name="' + raw + b'"\r\n\r\n%PDF'
    assert [one.name for one in parse(head).attachments] == ["Résumé d’appel.pdf"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("facture\u202efdp.exe", "facturefdp.exe"),
        ("C:\\CON.txt", "C__CON.txt"),
        ("a" * 300 + ".pdf", "a" * 116 + ".pdf"),
        (" . ", "fichier"),
        ("\r\nX: y.png", "X_ y.png"),
    ],
)
def test_names_of_files_lead_nowhere_and_hide_nothing(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", [one for one in named("smime-") if one != "smime-damaged"])
def test_what_is_only_signed_is_read(name: str) -> None:
    """Issue 19, kind 17: RFC 8551, with lengths that are told and in pieces."""
    found = mail(name)
    assert (found.body, found.encrypted) == ("Le poste 204 ne sonne plus.", False)
    assert [one.name for one in found.attachments] == ["smime.p7m"]


@pytest.mark.parametrize("name", named("encrypted-"))
def test_what_is_encrypted_says_so(name: str) -> None:
    """Issue 19, kind 35."""
    found = mail(name)
    assert found.encrypted
    assert "Message chiffré : nous ne pouvons pas le lire." in found.body
    assert not mail("smime-damaged").encrypted


@pytest.mark.parametrize("name", ["winmail-rtf", "winmail-plain-body", "winmail-html"])
def test_winmail_is_unpacked(name: str) -> None:
    """Issue 19, kind 36: [MS-OXTNEF]."""
    found = mail(name)
    assert found.body == "Le poste 12 ne sonne plus, l’afficheur non plus."
    assert [(one.name, one.type, one.size) for one in found.attachments] == [
        ("rapport d’appels.pdf", "application/pdf", 8)
    ]
    opened = attachment(content(name), 0)
    assert opened is not None
    assert opened.data() == b"%PDF-1.4"
    assert mail("winmail-damaged").body == "Le poste 12 ne sonne plus, l’afficheur non plus."


@pytest.mark.parametrize("name", ["forwarded-attached", "forwarded-alone", "forwarded-twice", "forwarded-digest"])
def test_what_is_forwarded_is_told_with_its_attachments(name: str) -> None:
    """Issue 19, kind 20."""
    found = mail(name)
    assert "Les postes 201 à 203 sont muets." in found.body
    assert "De : Accueil <accueil@clinique.example>" in found.body
    assert found.sender == JULIE
    files = [one.name for one in found.attachments]
    assert files.index("Panne des postes.eml") < files.index("rapport.pdf")
    assert all(one.size for one in found.attachments)
    pdf = attachment(content(name), files.index("rapport.pdf"))
    assert pdf is not None
    assert pdf.data() == b"%PDF-"
    assert attachment(content(name), len(files)) is None


@pytest.mark.parametrize("name", named("program-"))
def test_programs_do_not_speak_for_people(name: str) -> None:
    """Issue 19, kind 19: whatever the envelope's sender is."""
    for return_path in (JULIE, "<>"):
        _, program = judged(name, return_path)
        assert program is not None
    assert judged("forwarded-bounce")[1] is None


def test_words_beside_an_accepted_invitation_are_noted_and_nothing_else_is() -> None:
    noted = {name for name in named("program-") if (found := judged(name)[1]) is not None and found.noted}
    assert noted == {"program-calendar-with-words"}


@pytest.mark.parametrize("subject", ["Réponse automatique en panne", "Message d’absence : poste 12", "RE : Auto"])
def test_what_only_sounds_like_a_program_is_a_persons(subject: str) -> None:
    found = parse(f"From: {JULIE}\r\nSubject: {subject}\r\n\r\nx".encode())
    assert automatic(found, return_path=JULIE, domain="ligne.example", ours=OURS) is None


@pytest.mark.parametrize("name", ["list-ours", "list-ours-via", "list-ours-by-post", "list-configured"])
def test_a_list_that_is_our_own_address_is_no_reason(name: str) -> None:
    """Issue 19, kind 14."""
    writer, program = judged(name)
    assert program is None
    assert (writer.sender, writer.vouched) == (JULIE, True)


@pytest.mark.parametrize("name", ["list-ours-via-reply-to-only", "list-ours-forged"])
def test_who_wrote_to_our_list_has_no_rights_unless_the_list_vouches(name: str) -> None:
    writer, program = judged(name)
    assert program is None
    assert (writer.sender, writer.vouched) == (JULIE, False)


@pytest.mark.parametrize("name", ["list-of-others", "list-newsletter"])
def test_lists_of_others_open_nothing(name: str) -> None:
    assert judged(name)[1] is not None


@pytest.mark.parametrize(
    ("name", "sender", "vouched"),
    [
        ("form-site", JULIE, False),
        ("form-ours", "zoe@inconnu.example", False),
        ("form-reply-to-several", "noreply@site.example", True),
        ("form-reply-to-ours", "zoe@inconnu.example", True),
    ],
)
def test_who_filled_in_a_form_is_answered_and_has_no_rights(name: str, sender: str, vouched: bool) -> None:
    """Issue 19, kinds 21 and 40."""
    writer, program = judged(name, "www@site.example")
    assert (writer.sender, writer.vouched, program) == (sender, vouched, None)


@pytest.mark.parametrize("name", named("references-"))
def test_long_references_still_lead_to_the_ticket(name: str) -> None:
    """Issue 19, kind 32."""
    assert tickets_meant(mail(name), "ligne.example") == [100001]


@pytest.mark.parametrize("name", [*named("thanks-"), *named("reaction-")])
def test_thanks_are_noted(name: str) -> None:
    """Issue 19, kind 41."""
    assert _only_noted(mail(name), None) is not None


@pytest.mark.parametrize("name", named("not-thanks-"))
def test_more_than_thanks_is_answered(name: str) -> None:
    assert _only_noted(mail(name), None) is None


@pytest.mark.parametrize(
    ("value", "none"), [("All", True), ("OOF, AutoReply", True), ("DR, RN, NRN", False), ("None", False)]
)
def test_who_wants_no_answer_gets_none(value: str, none: bool) -> None:
    found = parse(f"From: {JULIE}\r\nX-Auto-Response-Suppress: {value}\r\n\r\nx".encode())
    assert wants_no_answer(found) is none


class TestFold:
    @pytest.mark.parametrize(
        ("rest"),
        [
            "> Bonjour\n> Quoi ?",
            "Le mar. 24 nov. 2026 à 10:12, Soutien <a@b.example> a écrit :\n> Bonjour",
            "Le mar. 24 nov. 2026 à 10:12, Soutien\n<a@b.example> a écrit :\n\n> Bonjour",
            "On Tue, Nov 24, 2026 at 10:12 AM Support <a@b.example> wrote:\n> Hello",
            "De : Soutien <a@b.example>\nEnvoyé : 24 novembre 2026 10:12\nÀ : Julie\nObjet : Billet\n\nBonjour",
            "From: Support <a@b.example>\nSent: Tuesday\nTo: Julie\nSubject: Ticket\n\nHello",
            "-----Message d'origine-----\nDe : x",
            "________________________________\nDe : x",
            "-- \nJulie\n418 555-0100",
            "Envoyé de mon iPhone",
            "Julie Tremblay\nClinique du Cap",
            "Cordialement,\nJ. T.",
        ],
    )
    def test_history_and_signatures_are_apart_and_nothing_is_lost(self, rest: str) -> None:
        text = f"Toujours en panne.\n\n{rest}"
        folded = fold(text, "Julie Tremblay")
        assert folded.own == "Toujours en panne."
        assert "\n".join(folded) == text

    @pytest.mark.parametrize(
        "text",
        [
            "Le 24 nov. 2026 à 10:12, Soutien <a@b.example> a écrit :\n> Quel poste ?\nLe 12.",
            "> Quel poste ?\nLe 12.\n> Depuis quand ?\nHier.",
            "Bonjour,\n> Quel poste ?\nLe 12.",
            "---------- Message transféré ----------\nDe : x\n\nTout est en panne.",
            "De : 8 h à 9 h, rien ne marche.\nLe fax aussi.",
        ],
    )
    def test_what_is_new_is_not_folded_away(self, text: str) -> None:
        assert fold(text).own == text


def test_thanks_may_not_hide_a_request() -> None:
    assert only_thanks("Merci pour votre aide, bonne journée !", "")
    for text in ("", "Bonjour", "Merci d’avance", "Merci, rappelez-moi au 418 555-0100", "OK, mais le fax ?"):
        assert not only_thanks(text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_pieces_of_real_e_mails_in_any_order_are_read_or_refused(data: st.DataObject) -> None:
    """Cut, joined and damaged: whatever comes is taken, or refused with a reason; never anything else."""
    pieces = []
    for _ in range(data.draw(st.integers(1, 3))):
        whole = content(data.draw(st.sampled_from(named(""))))
        begin = data.draw(st.integers(0, len(whole) - 1))
        pieces.append(whole[:begin] if data.draw(st.booleans()) else whole[begin:])
        pieces.append(data.draw(st.binary(max_size=12)))
    raw = b"".join(pieces)
    glimpse(raw)
    try:
        found = parse(raw)
    except Unreadable:
        return
    fold(found.body, found.sender_name)
    found.body.encode("utf-8")


@pytest.mark.parametrize(
    "raw",
    [
        b'From: a@b.example\r\nContent-Type: text/plain; x="' + b";" * 200_000 + b"\r\n\r\nx",
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; y="
        + b'";' * 900_000
        + b"\r\n\r\nx",
        b"From: a@b.example\r\nContent-Type: message/delivery-status\r\n\r\n" + b"\r\n" * 400_000,
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\n" * 15_000,
        b"From: " + b'"<' * 60_000 + b"\r\n\r\nx",
        b"From: a@b.example\r\nContent-Type: application/pkcs7-mime\r\n\r\n" + b"\x30\x80" * 400_000,
        b"From: a@b.example\r\nContent-Type: application/pkcs7-mime\r\n\r\n" + b"\x24\x80\x04\x00" * 400_000,
        b"From: a@b.example\r\nContent-Type: application/ms-tnef\r\n\r\n\x78\x9f\x3e\x22\x00\x00" + b"\x00" * 2_000_000,
        b"From: a@b.example\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 20_000,
        b"From: a@b.example\r\nContent-Type: text/enriched\r\n\r\n" + b"<param>" * 70_000,
    ],
)
def test_no_bomb_takes_long(raw: bytes) -> None:
    """Seconds of the processor, so that a busy machine does not matter."""
    began = time.process_time()
    try:
        found = parse(raw)
        fold(found.body)
    except Unreadable:
        pass
    assert time.process_time() - began < 10


@pytest.mark.parametrize("line", ["le " + "a" * 500, "x" * 199 + "<a", "De : x", "- " * 250, "> "])
def test_folding_takes_no_long_time(line: str) -> None:
    began = time.process_time()
    fold("\n".join([line] * 200))
    assert time.process_time() - began < 5
