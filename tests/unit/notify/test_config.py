"""The environment says where notices leave by; what is wrong in it is named, and no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import BadInput
from ivr.notify.config import NoticeConfig, read
from ivr.notify.health import configured

SID = "AC" + "0" * 32
SECRET = "whsec_" + "QUJD" * 8
SMTP = {"OMNIVIGIL_SMTP_HOST": "mail.example", "OMNIVIGIL_SMTP_FROM": "support@omnivigil.example"}
TWILIO = {"OMNIVIGIL_TWILIO_ACCOUNT_SID": SID, "OMNIVIGIL_TWILIO_AUTH_TOKEN": "hidden-token"}


def hooks(folder: Path, text: str) -> dict[str, str]:
    path = folder / "webhooks.yaml"
    path.write_text(text)
    return {"OMNIVIGIL_WEBHOOKS_FILE": str(path)}


def entry(
    *, url: str = "https://hooks.example/x", secret: str = f"secret: {SECRET}", events: str = "[ticket.*]"
) -> str:
    return f"endpoints:\n  - name: crm\n    url: {url}\n    {secret}\n    events: {events}\n"


def test_without_anything_notices_wait_and_that_is_said() -> None:
    assert read({}) == NoticeConfig()
    assert configured(read({})) == "not configured: e-mail and SMS; these notices wait"
    assert configured(read(SMTP | TWILIO)) == "ok"


def test_mail_goes_encrypted_unless_told_otherwise() -> None:
    smtp = read(SMTP).smtp
    assert smtp is not None
    assert (smtp.security, smtp.port, smtp.domain) == ("starttls", 587, "omnivigil.example")
    tls = read(SMTP | {"OMNIVIGIL_SMTP_TLS": "tls"}).smtp
    assert tls is not None
    assert tls.port == 465


def test_secrets_come_from_files_and_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("hidden-token\n")
    config = read({"OMNIVIGIL_TWILIO_ACCOUNT_SID": SID, "OMNIVIGIL_TWILIO_AUTH_TOKEN_FILE": str(file)})
    assert config.twilio is not None
    assert config.twilio.auth_token.get_secret_value() == "hidden-token"
    assert config.twilio.sender == "332211"
    assert "hidden" not in repr(config)


def test_endpoints_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    config = read(hooks(tmp_path, entry(secret="secret_file: secret")))
    assert [endpoint.name for endpoint in config.endpoints] == ["crm"]
    assert config.endpoints[0].secret.get_secret_value() == SECRET
    assert SECRET not in repr(config)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"OMNIVIGIL_SMTP_HOST": "mail.example"}, "SMTP_FROM"),
        (SMTP | {"OMNIVIGIL_SMTP_FROM": "a@b\nBcc: x@y"}, "SMTP_FROM"),
        (SMTP | {"OMNIVIGIL_SMTP_PORT": "99999"}, "SMTP_PORT"),
        (SMTP | {"OMNIVIGIL_SMTP_PORT": "²"}, "SMTP_PORT"),
        (SMTP | {"OMNIVIGIL_SMTP_TLS": "maybe"}, "SMTP_TLS"),
        (SMTP | {"OMNIVIGIL_SMTP_USER": "me"}, "SMTP_USER"),
        (
            SMTP | {"OMNIVIGIL_SMTP_USER": "me", "OMNIVIGIL_SMTP_PASSWORD": "p", "OMNIVIGIL_SMTP_TLS": "none"},
            "SMTP_TLS",
        ),
        (
            SMTP | {"OMNIVIGIL_SMTP_PASSWORD": "p", "OMNIVIGIL_SMTP_PASSWORD_FILE": "/nowhere"},
            "SMTP_PASSWORD",
        ),
        (SMTP | {"OMNIVIGIL_SMTP_PASSWORD_FILE": "/nowhere"}, "SMTP_PASSWORD_FILE"),
        ({"OMNIVIGIL_TWILIO_ACCOUNT_SID": "AC1"}, "TWILIO_ACCOUNT_SID"),
        ({"OMNIVIGIL_TWILIO_ACCOUNT_SID": SID}, "TWILIO_AUTH_TOKEN"),
        (TWILIO | {"OMNIVIGIL_TWILIO_SENDER": "omnivigil"}, "TWILIO_SENDER"),
        (TWILIO | {"OMNIVIGIL_TWILIO_API": "http://api.example"}, "TWILIO_API"),
        ({"OMNIVIGIL_PUBLIC_URL": "line.example"}, "PUBLIC_URL"),
        ({"OMNIVIGIL_MAIL_LISTEN": "0.0.0.0:25"}, "MAIL_LISTEN"),
        ({"OMNIVIGIL_MAIL_LISTEN": "25"}, "MAIL_LISTEN"),
        ({"OMNIVIGIL_MAIL_LARGEST_MB": "35 MB"}, "MAIL_LARGEST_MB"),
        ({"OMNIVIGIL_MAIL_LARGEST_MB": "0"}, "MAIL_LARGEST_MB"),
        ({"OMNIVIGIL_MAIL_LARGEST_MB": "151"}, "MAIL_LARGEST_MB"),
        ({"OMNIVIGIL_WEBHOOKS_FILE": "/nowhere"}, "WEBHOOKS_FILE"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, str], field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read(given)
    assert refusal.value.field == f"OMNIVIGIL_{field}"
    assert refusal.value.mend
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "endpoints: 3",
        "{{",
        entry(url="http://hooks.example/x"),
        entry(url="http://127.0.0.1/x"),
        entry(url="https://user:pass@hooks.example/x"),
        entry(url="https://["),
        entry(secret="secret: whsec_QUJD"),
        entry(secret="secret: QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD"),
        entry(secret="secret_file: nowhere"),
        entry(events="[]"),
        entry(events="['Ticket created']"),
        entry() + entry().removeprefix("endpoints:\n"),
    ],
)
def test_endpoints_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read(hooks(tmp_path, text))
    assert refusal.value.field == "OMNIVIGIL_WEBHOOKS_FILE"
    assert "QUJD" not in str(refusal.value)


def test_in_the_demo_endpoints_may_be_on_this_machine(tmp_path: Path) -> None:
    assert read(hooks(tmp_path, entry(url="http://127.0.0.1:9/x")), demo=True).endpoints


def test_the_largest_e_mail_is_35_mb_unless_told_otherwise() -> None:
    assert read({}).mail_largest == 35 * 1024 * 1024
    assert read({"OMNIVIGIL_MAIL_LARGEST_MB": "50"}).mail_largest == 50 * 1024 * 1024
