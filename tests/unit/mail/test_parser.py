"""E-mails as they really come: malformed, in wrong charsets, nested, hostile."""

from __future__ import annotations

import base64
import time
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.mail.parser import LARGEST, Mail, Unreadable, parse

FROM = b"From: Julie <Julie@Clinique.example>\r\n"


def read(headers: bytes, body: bytes = b"Bonjour.\r\n") -> Mail:
    return parse(FROM + headers + b"\r\n" + body)


def test_an_ordinary_one() -> None:
    message = EmailMessage()
    message["From"] = "Julie Tremblay <Julie@Clinique.example>"
    message["To"] = "support@omnivigil.com"
    message["Subject"] = "Écho sur la ligne – « urgent »"
    message["Message-ID"] = "<abc@clinique.example>"
    message["References"] = "<x@a> <y@a>"
    message.set_content("Bonjour,\n\n\n\nça grésille.\n")
    message.add_alternative("<p>Autre chose</p>", subtype="html")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="écran.png")
    mail = parse(message.as_bytes())
    assert (mail.sender, mail.sender_name) == ("julie@clinique.example", "Julie Tremblay")
    assert mail.subject == "Écho sur la ligne – « urgent »"
    assert mail.body == "Bonjour,\n\nça grésille."
    assert mail.message_id == "<abc@clinique.example>"
    assert [(one.name, one.type, one.size) for one in mail.attachments] == [("écran.png", "image/png", 4)]


def test_html_alone_becomes_text() -> None:
    html = (
        b"<html><head><title>no</title><style>p {}</style></head><body><script>alert(1)</script>"
        b"<p>Bonjour&nbsp;&amp; merci</p><div>L&#8217;&eacute;cho<br>revient</div><b>a</b> <i>b</i></body></html>"
    )
    mail = read(b"Content-Type: text/html; charset=utf-8\r\n", html)
    assert mail.body.split("\n") == ["Bonjour & merci", "", "L’écho", "revient", "a b"]


@pytest.mark.parametrize(
    ("charset", "raw"),
    [
        ("utf-8", "é".encode()),
        ("iso-8859-1", b"\xe9"),
        ("utf-8", b"\xe9"),
        ("us-ascii", "é".encode()),
        ("nonsense", "é".encode()),
        ("nonsense", b"\xe9"),
        ("rot13", "é".encode()),
        ("zlib", "é".encode()),
        ("idna", "é".encode()),
        ("\xff", "é".encode()),
        ("windows-1252", b"\xe9"),
    ],
)
def test_charsets_that_are_wrong_or_none(charset: str, raw: bytes) -> None:
    header = b'Content-Type: text/plain; charset="' + charset.encode("latin-1") + b'"\r\n'
    assert read(header + b"Content-Transfer-Encoding: 8bit\r\n", raw).body == "é"


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"=?utf-8?Q?=C3=89cho?=", "Écho"),
        (b"=?iso-8859-1?Q?=C9cho?=", "Écho"),
        (b"=?nonsense?Q?=C3=89cho?=", "Écho"),
        (b"=?utf-8?B?!!!?=", ""),
        ("Écho".encode(), "Écho"),
        (b"\xc9cho", "Écho"),
        (b"a\r\n b", "a b"),
        (b"=?utf-8?Q?a=0D=0ABcc=3A_all?=", "a Bcc: all"),
        (b"", ""),
        (b"x" * 5000, "x" * 500),
    ],
)
def test_subjects(raw: bytes, subject: str) -> None:
    assert read(b"Subject: " + raw + b"\r\n").subject == subject


@pytest.mark.parametrize(
    "sender",
    [
        b"",
        b"From: \r\n",
        b"From: nobody\r\n",
        b"From: a@b.example, c@d.example\r\n",
        b"From: a@b.example\r\nFrom: c@d.example\r\n",
        b"From: <a b@c.example>\r\n",
        b"From: " + b"a" * 70 + b"@b.example\r\n",
        b"From: undisclosed:;\r\n",
    ],
)
def test_without_one_sender_it_is_refused(sender: bytes) -> None:
    with pytest.raises(Unreadable, match="From"):
        parse(sender + b"Subject: x\r\n\r\nx")


def test_an_address_in_a_name_is_not_the_sender() -> None:
    mail = parse(b"From: =?utf-8?Q?julie=40clinique=2Eexample_=3C?= <evil@x.example>\r\n\r\nx")
    assert mail.sender == "evil@x.example"


def test_text_no_database_takes_is_taken_out() -> None:
    mail = read(b"Subject: a\x00b\r\nContent-Transfer-Encoding: 8bit\r\n", b"a\x00\x1b[31mb\r\n\tc\r\n")
    assert mail.subject == "a b"
    assert mail.body == "a[31mb\n\tc"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Type: multipart/mixed\r\n", b"no boundary"),
        (b'Content-Type: multipart/mixed; boundary="x"\r\n', b"--y\r\n\r\nnever begun"),
        (b'Content-Type: multipart/mixed; boundary="x"\r\n', b"--x\r\n\r\nnever closed"),
        (b"Content-Type: multipart/alternative; boundary=x\r\nContent-Transfer-Encoding: base64\r\n", b"--x--"),
        (b"Content-Transfer-Encoding: base64\r\n", b"@@@@not base64@@@"),
        (b"Content-Transfer-Encoding: uuencode\r\n", b"begin 644 x\r\n#####\r\n"),
        (b"Content-Type: ///;;;===\r\n", b"x"),
        (b"Content-Type: text/plain; charset*=nonsense''%FF\r\n", b"x"),
        (b"Content-Disposition: attachment; filename*0*=x''%; filename*1=y\r\n", b"x"),
        (b"broken header without colon\r\nSubject: x\r\n", b"x"),
        (b"Content-Type: message/rfc822\r\n", b"From: x@y.example\r\nSubject: inner\r\n\r\ninner"),
        (b"Content-Type: message/delivery-status\r\n", b"Action: failed\r\n\r\nX: y\r\n"),
    ],
)
def test_what_is_malformed_is_read_all_the_same(headers: bytes, body: bytes) -> None:
    assert read(headers, body).sender == "julie@clinique.example"


def test_an_email_within_is_an_attachment_and_its_text_is_told() -> None:
    mail = read(b"Content-Type: message/rfc822\r\n", b"From: x@y.example\r\nSubject: inner\r\n\r\ninner")
    assert mail.body.endswith("\n\ninner")
    assert mail.sender == "julie@clinique.example"
    assert [one.type for one in mail.attachments] == ["message/rfc822"]


def nested(depth: int) -> bytes:
    parts = b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(depth))
    return FROM + b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n" + parts + b"--b%d\r\n\r\nx" % depth


def test_parts_within_parts_have_an_end() -> None:
    assert parse(nested(8)).body == "x"
    for depth in (13, 100, 5000):
        with pytest.raises(Unreadable):
            parse(nested(depth))


@pytest.mark.parametrize(
    "content",
    [
        FROM + b"\r\n" + b"x" * LARGEST,
        FROM + b"".join(b"X-%d: y\r\n" % n for n in range(50_000)) + b"\r\nx",
        FROM + b"X: " + b"y" * 400_000 + b"\r\n\r\nx",
        FROM + b"\r\n" + b"\r\n" * 1_000_000,
        FROM + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\ny\r\n" * 2_000,
    ],
)
def test_bombs_are_refused_quickly(content: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(Unreadable):
        parse(content)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Type: text/html\r\n", b"<b> </b>" * 60_000),
        (b"Content-Type: text/html\r\n", b"<" * 400_000),
        (b"Content-Type: text/html\r\n", b"<!--" * 100_000),
        (
            b"Content-Type: multipart/mixed; boundary=x\r\n",
            (b"--x\r\nContent-Type: text/html\r\n\r\n" + b"<p>" * 30_000) * 90,
        ),
        (b"Content-Type: text/html\r\n", b"<style>" * 50_000 + b"</title>" * 50_000),
        (b"Subject: " + b"=?utf-8?Q?" * 10_000 + b"\r\n", b"x"),
        (b"References: " + b"<" * 100_000 + b"\r\n", b"x"),
        (b"Content-Transfer-Encoding: base64\r\n", base64.b64encode(b"\n" * 3_000_000)),
        (b"", b"\n " * 120_000),
    ],
)
def test_what_is_long_is_read_in_little_time(headers: bytes, body: bytes) -> None:
    began = time.monotonic()
    assert len(read(headers, body).body) <= 100_000
    assert time.monotonic() - began < 15


def test_the_same_email_by_another_way_has_the_same_key() -> None:
    content = FROM + b"Message-ID: <a@b>\r\nSubject: x\r\n\r\nBonjour"
    again = b"Received: from a by b\r\nX-Spam: no\r\n" + content
    assert parse(content).key == parse(again).key
    assert parse(content).key != parse(content + b"!").key
    assert parse(content).key != parse(content.replace(b"<a@b>", b"<a2@b>")).key


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=400))
def test_whatever_comes_it_is_read_or_refused(headers: bytes, body: bytes) -> None:
    try:
        mail = parse(FROM + headers + b"\r\n\r\n" + body)
    except Unreadable:
        return
    for text in (mail.subject, mail.body, mail.sender_name, *(one.name for one in mail.attachments)):
        text.encode("utf-8")
        assert "\x00" not in text
