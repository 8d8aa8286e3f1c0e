"""The first config: an installation key, a file store over what exists, and an honest list of what can be rotated."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from rotator.config.errors import ConfigError
from rotator.config.installation import new_installation
from rotator.config.recognise import Form, recognise

TODAY, ADMIN, HAND = "can be rotated today", "needs an admin key", "by hand"
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One key found. `value` never leaves this process."""

    variable: str
    form: Form
    value: str = field(repr=False)
    lives: str = ""  # what a read-only question said

    @property
    def credential(self) -> str:
        """The name it gets."""
        return self.variable.lower().replace("_", "-").strip("-") or "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the closing table."""

    name: str
    vendor: str
    verdict: str
    how: str
    lives: str


def read_env(text: str) -> dict[str, str]:
    """The variables of a dotenv file; quotes are taken off, comments and continuation left alone."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None or line.lstrip().startswith("#"):
            continue
        value = match[2].strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        else:
            value = value.split(" #")[0].strip()
        found[match[1]] = value
    return found


def candidates(variables: Mapping[str, str]) -> list[Candidate]:
    """What is recognised by form."""
    recognised = ((name, value, recognise(value)) for name, value in variables.items() if value)
    return [Candidate(variable=name, form=form, value=value) for name, value, form in recognised if form is not None]


def entry(candidate: Candidate) -> Entry:
    """What can be done about a key."""
    driver = candidate.form.driver
    if driver is None:
        verdict, how = HAND, f"no driver yet; elsewhere it takes: {candidate.form.admin}"
    else:
        verdict, how = ADMIN, f"{candidate.form.admin}, at {admin_reference(candidate)}"
    return Entry(name=candidate.variable, vendor=candidate.form.vendor, verdict=verdict, how=how, lives=candidate.lives)


def admin_reference(candidate: Candidate) -> str:
    """Where the config expects the admin credential."""
    return f"env:{candidate.variable}_ADMIN"


def write(folder: Path, env: Path | None, found: list[Candidate]) -> tuple[Path, Path]:
    """Write the installation key and the config, neither over an old one. Returns both paths. Raises `ConfigError`."""
    config, key = folder / "rotator.yaml", folder / "installation.key"
    for path in (config, key):
        if path.exists():
            raise ConfigError(f"{path} exists already", "remove it, or run init in another folder")
    _create(key, new_installation().text() + "\n")
    try:
        _create(config, config_text(env.resolve().parent if env else None, env.name if env else None, found))
    except ConfigError:
        key.unlink()
        raise
    return config, key


def _create(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}", "run init in a folder of yours") from None


def config_text(root: Path | None, ref: str | None, found: list[Candidate]) -> str:
    """The config; it holds references and no secret."""
    import yaml

    today = [each for each in found if each.form.driver is not None]
    hand = [each for each in found if each.form.driver is None]
    data: dict[str, object] = {
        "state": "sqlite:///rotator.db",
        "installation": {"key": "file:installation.key"},
    }
    if root is not None:
        data["stores"] = {"files": {"driver": "file", "root": str(root)}}
    data["policies"] = {"standard": {"every": "30d", "overlap": "24h", "quiet_for": "1h"}}
    data["defaults"] = {"policy": "standard"}
    data["providers"] = {each.credential: provider_settings(each) for each in today}
    data["credentials"] = {each.credential: _credential(each, ref or "") for each in today}
    text = "# Written by `rotator init`. References only: a secret does not belong here.\n"
    text += yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
    for each in hand:
        text += f"# {each.variable}: {each.form.vendor}, {HAND} for now\n"
    return text


def provider_settings(candidate: Candidate) -> dict[str, object]:
    base: dict[str, object] = {"driver": candidate.form.driver, "admin": admin_reference(candidate)}
    if candidate.form.driver == "postgres":
        parts = urlsplit(candidate.value)
        database = parts.path.lstrip("/") or "postgres"
        base |= {
            "host": parts.hostname or "localhost",
            "port": parts.port or 5432,
            "database": database,
            "user": "postgres",
        }
    else:
        base |= {"base_url": "http://127.0.0.1:8080"}
    return base


def _credential(candidate: Candidate, ref: str) -> dict[str, object]:
    template, principal = "{secret}", {"principal": candidate.credential}
    if candidate.form.driver == "postgres":
        parts = urlsplit(candidate.value)
        user = parts.username or "app"
        after = candidate.value.split("@", 1)[1]
        template = f"{parts.scheme}://{{user}}:{{password}}@{after}"
        principal = {"roles": [user, f"{user}_b"], "owner_role": user}  # type: ignore[dict-item]
    return {
        "provider": candidate.credential,
        "principal": principal,
        "publish": [{"store": "files", "ref": ref, "fields": {candidate.variable: template}}],
    }
