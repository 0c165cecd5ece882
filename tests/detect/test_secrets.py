"""Secrets: each form found, placeholders and ordinary code left."""

import pytest

from genwright.detect import secrets
from genwright.detect.secrets import entropy_bits

BODY = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"
# Put together here, so that no scanner takes the test for a leak.
FOUND = [
    ("k = 'AKIA" + "Q3EGRC7TB2ZK5WXY'", "AWS_KEY"),
    ("ghp_" + BODY[:36], "GITHUB_TOKEN"),
    ("glpat-" + BODY[:20], "GITLAB_TOKEN"),
    ("xoxb-" + "2048576391-" + BODY[:24], "SLACK_TOKEN"),
    ("sk-proj-" + BODY, "API_KEY"),
    ("hf_" + BODY[:34], "API_KEY"),
    ("eyJ" + BODY[:20] + ".eyJ" + BODY[:20] + "." + BODY, "JWT"),
    ("postgres://app:t0pS3cr3tZq9@db.internal/x", "PASSWORD"),
    ("DB_PASSWORD = 'f9#Kq2!vLx8'", "PASSWORD"),
    ('{"api_key": "9fQ2xL7pVb3n"}', "PASSWORD"),
    (
        "-----BEGIN RSA PRIVATE" + " KEY-----\n" + BODY * 3 + "\n-----END RSA PRIVATE" + " KEY-----",
        "PRIVATE_KEY",
    ),
]
LEFT = [
    "AKIAIOSFODNN7EXAMPLE",
    "password = 'correcthorsebattery'",
    "password = getpass.getpass()",
    "token = 'your_token_here_123'",
    "api_key='<API_KEY>' secret = '{secret}' pwd='${PWD}' token='%s-%s-123ab'",
    "task-driven-development-of-large-systems sk-learn mask-aaaaaaaaaaaaaaaaaaaaaaaa",
    "-----BEGIN PRIVATE" + " KEY-----\n...\n-----END PRIVATE" + " KEY-----",
    "http://localhost:8080/x@y ftp://user:pass@host",
    "key = 'lower_case_name_1'",
]


@pytest.mark.parametrize(("text", "kind"), FOUND)
def test_each_form_is_found_once(text: str, kind: str) -> None:
    assert [span.kind for span in secrets.find(text)] == [kind]


@pytest.mark.parametrize("text", LEFT)
def test_placeholders_and_code_are_left(text: str) -> None:
    assert [text[span.start : span.end] for span in secrets.find(text)] == []


def test_only_the_value_of_an_assignment_is_replaced() -> None:
    text, counts = secrets.redact("PASSWORD = 'f9#Kq2!vLx8'  # keep")
    assert text == "PASSWORD = '<PASSWORD>'  # keep"
    assert counts == {"PASSWORD": 1}


def test_entropy_of_known_texts() -> None:
    assert entropy_bits("") == 0.0
    assert entropy_bits("aaaa") == 0.0
    assert entropy_bits("abcdabcd") == 2.0
