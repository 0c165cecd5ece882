"""Personal data: each kind found, look-alikes in code and prose left, linear time."""

import time

import pytest

from genwright.detect import pii, secrets

FOUND = [
    ("mail ada.lovelace+x@mail.analytical-engine.co.uk now", "EMAIL", "ada.lovelace+x@mail.analytical-engine.co.uk"),
    ("<guido@python.org>", "EMAIL", "guido@python.org"),
    ("card 4111 1111 1111 1111.", "CARD", "4111 1111 1111 1111"),
    ("card 371449635398431", "CARD", "371449635398431"),
    ("to DE89 3704 0044 0532 0130 00 today", "IBAN", "DE89 3704 0044 0532 0130 00"),
    ("to GB82WEST12345698765432", "IBAN", "GB82WEST12345698765432"),
    ("ssn 536-90-4399", "SSN", "536-90-4399"),
    ("host 93.184.216.34:80", "IP_ADDRESS", "93.184.216.34"),
    ("host 2606:4700:4700::1111", "IP_ADDRESS", "2606:4700:4700::1111"),
    ("call +49 30 901820", "PHONE", "+49 30 901820"),
    ("call (212) 456-7890 or", "PHONE", "(212) 456-7890"),
    ("call +33 1 42 68 53 00.", "PHONE", "+33 1 42 68 53 00"),
    ("call 212-456-7890", "PHONE", "212-456-7890"),
]
LEFT = [
    "user@example.com and root@db.test and git@github.com:x/y.git and noreply@github.com",
    "y = a@self.weights; z = x @ w.T; @app.route; @dataclass",
    "127.0.0.1 10.0.0.1 192.168.1.1 192.0.2.44 198.51.100.7 203.0.113.9 0.0.0.0 255.255.255.255 224.0.0.1",
    "version 93.184.216.34 and 1.2.3.4 and 8.2.4.44 and ==20.25.30.35",
    "a[::2] 12:30:45 ::1 fe80::1 2001:db8::1 std::vector 00:1b:44:11:3a:b7",
    "card 4111 1111 1111 1112, id 1234567890123456, 0.4111111111111111",
    "DE89 3704 0044 0532 0130 01 ABCD EF12 3456",
    "000-12-3456 666-12-3456 900-12-3456 2024-01-15 536-90-43990",
    "Decimal('+35236450.6') 212-555-0123 1_000_000 3.14159265358979 [200 300 4000]",
    "x = 1234567890; 2026-11-24 18:19:12; ISBN 978-3-16-148410-0",
]


@pytest.mark.parametrize(("text", "kind", "piece"), FOUND)
def test_each_kind_is_found_whole(text: str, kind: str, piece: str) -> None:
    assert [(span.kind, text[span.start : span.end]) for span in pii.find(text)] == [(kind, piece)]


@pytest.mark.parametrize("text", LEFT)
def test_look_alikes_are_left(text: str) -> None:
    assert [text[span.start : span.end] for span in pii.find(text)] == []


def test_redaction_counts_and_leaves_the_rest() -> None:
    text, counts = pii.redact("a@b.org, c@d.org or +49 30 901820\n")
    assert text == "<EMAIL>, <EMAIL> or <PHONE>\n"
    assert counts == {"EMAIL": 2, "PHONE": 1}
    assert pii.redact(text) == (text, {})


ADVERSARIAL = {
    "digits": "1" * 10**6,
    "spaced digits": "1 " * 500_000,
    "gap": "1" + " " * 10**6,
    "at": "@" * 10**6,
    "nested domains": "a@a." * 250_000,
    "colons": ":a" * 500_000,
    "plus": "+1 " * 333_000,
    "brackets": "(1" * 500_000,
    "dots": "1." * 500_000,
    "accounts": "AA11 AAAA " * 100_000,
    "jwt": "eyJ" * 333_000,
    "passwords": 'password="' * 100_000,
    "urls": "a://a:" * 160_000,
    "keys": "-----BEGIN PRIVATE KEY-----" * 37_000,
    "sk": "sk-" * 333_000,
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_megabyte_line_made_to_hurt_takes_linear_time(name: str) -> None:
    begun = time.process_time()
    pii.find(ADVERSARIAL[name])
    secrets.find(ADVERSARIAL[name])
    assert time.process_time() - begun < 2.0
