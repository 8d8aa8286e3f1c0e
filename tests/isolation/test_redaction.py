"""No credential in what a driver says, whole or in part, and however it is written."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from rotator.adapters.isolation.redaction import without

SECRET = 'sk-Ab3"x/+Y9 zQ=Kw71'
DOCUMENT = json.dumps(
    {"type": "service_account", "private_key": "-----BEGIN-----\nMIIEvQIBADANBg\n-----END-----"}, indent=1
)


@pytest.mark.parametrize(
    "said",
    [
        f"wrong key {SECRET}.",
        f"https://vendor.example/?key={quote(SECRET, safe='')}",
        f"https://vendor.example/{quote(SECRET)}/keys",
        f"no host {SECRET.lower()}.example",
        f"body: {json.dumps({'key': SECRET})}",
        f"hex {SECRET.encode().hex()}",
        *(f"Basic {base64.b64encode(user + SECRET.encode()).decode()}" for user in (b"", b"a:", b"ab:", b"abc:")),
        f"Basic {base64.b64encode(b'ab:' + SECRET.encode() + b'xyz').decode()}",
        f"token {base64.urlsafe_b64encode(SECRET.encode()).decode()}",
    ],
)
def test_however_it_is_written_it_is_taken_out(said: str) -> None:
    shown = without(said, [SECRET])
    assert "<secret>" in shown
    for form in (SECRET, SECRET.lower(), quote(SECRET), SECRET.encode().hex()):
        assert form[:10] not in shown
    coded = base64.b64encode(SECRET.encode()).decode()
    assert not any(coded[at : at + 8] in shown for at in range(len(coded) - 8))


@pytest.mark.parametrize(
    ("secret", "said", "shown"),
    [
        ("line one of it\nline two of it", "it is line one of it\nline two of it", "it is <secret>"),
        ("line one of it\nline two of it", "it begins with line one of it", "it begins with <secret>"),
        ("AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMIK7MDENG", "no wJalrXUtnFEMIK7MDENG", "no <secret>"),
        ("postgresql://admin:p%40ssw0rd-1@db/postgres", "no p@ssw0rd-1", "no <secret>"),
        (DOCUMENT, "no MIIEvQIBADANBg", "no <secret>"),
        ("a-secret-of-many", "x" * 990 + "a-secret-of-many", "x" * 990 + "<secret>"),
        ("short", "short", "short"),
        ("a-secret-of-many", "a\x1b[2J\nb\u202e", "a [2J b "),
        ("a-secret-of-many", "nothing of interest", "nothing of interest"),
    ],
)
def test_parts_of_it_are_taken_out_and_the_rest_is_a_line(secret: str, said: str, shown: str) -> None:
    assert without(said, [secret]) == shown
