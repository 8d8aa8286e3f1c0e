"""The installation's key: its text, and that two installations have nothing in common."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from rotator.app.assembly import Assembly
from rotator.config.errors import ConfigError
from rotator.config.installation import Installation, new_installation, read_installation
from rotator.domain.marks import Mark
from rotator.domain.secret import Secret
from tests.config.folder import GOOD, Folder

OURS, THEIRS = new_installation(), new_installation()
VALUE = Secret({"secret": "the same value"})


def test_the_text_is_read_back() -> None:
    assert read_installation(OURS.text() + "\n") == OURS


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_piece_of_a_key_is_no_key_and_not_repeated(cut: int) -> None:
    text = OURS.text()
    for piece in (text[:-cut], text[cut:], text + "A", ""):
        with pytest.raises(ConfigError) as raised:
            read_installation(piece)
        assert text[-20:] not in raised.value.message + raised.value.hint


def test_a_key_is_not_shown() -> None:
    told = f"{OURS} {OURS!r} {OURS.marker()!r} {OURS.fingerprinter()!r}"
    assert OURS.seed.hex() not in told
    assert OURS.text().split()[-1] not in told
    assert str(OURS.seed) not in told


def test_marks_are_read_by_the_installation_that_wrote_them() -> None:
    mark = OURS.marker().write("openai-prod", "r1", 3)
    assert read_installation(OURS.text()).marker().read("openai-prod", mark) == Mark("r1", 3)
    assert THEIRS.marker().read("openai-prod", mark) is None
    assert OURS.marker().read("openai-test", mark) is None


def test_fingerprints_of_two_installations_differ() -> None:
    assert OURS.fingerprinter().of(VALUE, "secret") == OURS.fingerprinter().of(VALUE, "secret")
    assert OURS.fingerprinter().of(VALUE, "secret") != THEIRS.fingerprinter().of(VALUE, "secret")


def test_the_id_alone_makes_no_keys() -> None:
    impostor = Installation(OURS.id, THEIRS.seed)
    assert impostor.marker().read("openai-prod", OURS.marker().write("openai-prod", "r1", 3)) is None
    assert impostor.fingerprinter().of(VALUE, "secret") != OURS.fingerprinter().of(VALUE, "secret")


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert len({OURS.marker().key, OURS.fingerprinter().key, OURS.seed}) == 3


def test_signatures_are_checked_with_the_public_key_alone() -> None:
    signature = OURS.sign(b"data")
    Ed25519PublicKey.from_public_bytes(OURS.public()).verify(signature, b"data")
    for public, data in ((OURS.public(), b"other"), (THEIRS.public(), b"data")):
        with pytest.raises(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(public).verify(signature, data)


def test_a_key_that_everybody_may_read_is_refused_with_a_hint(folder: Folder) -> None:
    key = folder.write(OURS.text(), "installation.key")
    assembly = Assembly(config=folder.load(GOOD))
    key.chmod(0o644)
    with pytest.raises(ConfigError) as raised:
        _ = assembly.installation
    assert "may be read by everybody" in raised.value.message
    assert raised.value.hint.startswith("chmod o-r ")
    key.chmod(0o600)
    assert Assembly(config=folder.load()).installation == OURS
