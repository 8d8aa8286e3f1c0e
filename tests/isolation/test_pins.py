"""What was approved is what starts, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from rotator.adapters.isolation.closures import closure_of
from rotator.adapters.isolation.pins import NotPinned, Pin, Pins, read_pins, write_pins
from tests.isolation.children import Start
from tests.isolation.plain import pinned, plain, word_of
from tests.isolation.strangers import found, install


def test_what_was_pinned_starts_and_what_was_swapped_since_does_not(strangers: Path, start: Start) -> None:
    plain(strangers)
    pins = pinned()
    provider = start("plain", confine=False, pins=pins)
    assert word_of(provider) == "good"
    plain(strangers, word="'evil'")
    with pytest.raises(NotPinned, match=r"is not what was pinned: plain 1.0 was changed in place"):
        start("plain", confine=False, pins=pins)
    assert word_of(start("plain", confine=False, pins=pinned())) == "evil"


def test_nor_does_it_start_again(strangers: Path, start: Start) -> None:
    from rotator.domain.failures import Transient

    plain(strangers)
    provider = start("plain", confine=False, pins=pinned())
    provider.stop()
    plain(strangers, word="'evil'")
    with pytest.raises(Transient, match=r"plain 1.0 was changed in place"):
        word_of(provider)


def test_what_it_needs_is_pinned_too_however_far_away(strangers: Path, start: Start) -> None:
    plain(strangers, requires=("near",))
    install(strangers, "near", {"near.py": ""}, requires=("far",))
    install(strangers, "far", {"far.py": ""})
    pins = pinned()
    install(strangers, "far", {"far.py": "import os\n"})
    with pytest.raises(NotPinned, match=r"far 1.0 was changed in place"):
        start("plain", confine=False, pins=pins)
    install(strangers, "far", {"far.py": ""}, requires=("further",))
    install(strangers, "further", {"further.py": ""})
    with pytest.raises(NotPinned, match=r"far 1.0 was changed in place"):
        start("plain", confine=False, pins=pins)


def test_what_is_needed_now_or_no_longer_is_said() -> None:
    pin = Pin({"a": "1.0 sha256:x", "b": "1.0 sha256:y"})
    assert pin.differs({"a": "1.0 sha256:x", "b": "1.0 sha256:y"}) is None
    assert pin.differs({"a": "1.0 sha256:x"}) == "b is not needed any more"
    assert pin.differs({"a": "1.0 sha256:x", "b": "1.0 sha256:y", "c": "1 s"}) == "c was not needed when it was pinned"
    assert pin.differs({"a": "1.1 sha256:x", "b": "1.0 sha256:y"}) == "a was 1.0 and is 1.1"


def test_what_is_not_pinned_does_not_start_once_something_is(strangers: Path, start: Start) -> None:
    plain(strangers)
    start("plain", confine=False, pins=Pins())
    with pytest.raises(NotPinned, match="the provider plain is not pinned"):
        start("plain", confine=False, pins=Pins({}))


def test_pins_are_read_as_they_were_written(strangers: Path, tmp_path: Path) -> None:
    plain(strangers)
    digests = closure_of(found("plain")).digests()
    write_pins(tmp_path / "pins", {"provider plain": digests})
    read = read_pins(tmp_path / "pins")
    read.check("provider plain", digests)
    with pytest.raises(NotPinned):
        read.check("provider plain", {**digests, "plain": "1.0 sha256:0"})
    assert [each.name for each in tmp_path.iterdir() if "pins" in each.name] == ["pins"]


def test_without_a_file_nothing_is_pinned(tmp_path: Path) -> None:
    assert read_pins(tmp_path / "pins") == Pins()


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "null", '{"drivers": null}', '{"drivers": []}', '{"drivers": {"p": null}}',
        '{"drivers": {"p": {"parts": "ab"}}}', '{"drivers": {"p": {"parts": [["a", "b"]]}}}',
        '{"drivers": {"p": {"parts": {"a": 1}}}}', '{"drivers": {"p": {"parts": {"a": null}}}}',
        "[" * 100_000, '{"drivers": ' + "9" * 5000 + "}", "\udcff",
    ],
)  # fmt: skip
def test_a_file_that_nobody_can_read_pins_nothing_and_lets_nothing_start(text: str, tmp_path: Path) -> None:
    (tmp_path / "pins").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(NotPinned, match="cannot be read"):
        read_pins(tmp_path / "pins")
    with pytest.raises(NotPinned, match="cannot be read"):
        read_pins(tmp_path)
