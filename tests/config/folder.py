"""A folder with a config in it, for tests that break it in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rotator.app.configs import load_config
from rotator.config.errors import ConfigError
from rotator.config.reading import Config

GOOD = """\
state: sqlite:///rotator.db
installation: {key: file:installation.key}
providers:
  ks: {driver: keyserver, admin: env:KS_ADMIN, base_url: "http://127.0.0.1:1"}
stores:
  files: {driver: file, root: store}
policies:
  standard: {every: 30d, window: "Mon-Fri 09:00-16:00 Europe/Berlin"}
credentials:
  one:
    provider: ks
    publish: [{store: files, ref: a.json, fields: {A: "{secret}"}}]
  two:
    provider: ks
    principal: {principal: agents}
    policy: standard
    publish: [{store: files, ref: a.json, fields: {B: "{secret}"}}]
"""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where `rotator.yaml` is."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "rotator.yaml"

    def write(self, text: str | bytes, name: str = "rotator.yaml") -> Path:
        """A file that nobody else may write."""
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def load(self, text: str | bytes | None = None, *, lenient: bool = False) -> Config:
        """Read the config, or this one in its place."""
        if text is not None:
            self.write(text)
        return load_config(self.config, lenient=lenient)

    def refusal(self, text: str | bytes | None = None, *, lenient: bool = False) -> ConfigError:
        """Why it is refused; fails when it is not."""
        try:
            self.load(text, lenient=lenient)
        except ConfigError as error:
            assert_two_lines(error)
            return error
        raise AssertionError("it was read")


def changed(before: str, after: str) -> str:
    """The good config with one thing changed."""
    assert GOOD.count(before) == 1, before
    return GOOD.replace(before, after)


def assert_two_lines(error: ConfigError) -> None:
    """The tone of every error: one line each, lower case, no full stop."""
    for text in (error.message, error.hint):
        assert text
        assert text.isprintable()
        assert not text.endswith(".")
    assert "pydantic" not in error.message + error.hint
    assert "input should" not in error.message.lower()
