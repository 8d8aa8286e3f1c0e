"""The first config and the installation's key, neither written over an old one. References only, no secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from rotator.app.initializing import Candidate
from rotator.app.logins import ROLE
from rotator.config.errors import ConfigError
from rotator.config.installation import new_installation
from rotator.config.location import NAME
from rotator.config.permissions import check_folder

KEY = "installation.key"


def write(folder: Path, env: Path | None, found: tuple[Candidate, ...]) -> tuple[Path, Path]:
    """Write the installation key and the config, 0600 both. Returns config and key.

    Raises `ConfigError`; then nothing was written.
    """
    config, key = folder / NAME, folder / KEY
    for path in (config, key):
        if os.path.lexists(path):
            raise ConfigError(f"{path} exists already", "move it away, or run init in another folder")
    check_folder(folder.resolve())
    _create(key, new_installation().text() + "\n")
    try:
        _create(config, config_text(folder, env, found))
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


def config_text(folder: Path, env: Path | None, found: tuple[Candidate, ...]) -> str:
    """The whole config, with a file store over the dotenv file."""
    data: dict[str, object] = {"state": "sqlite:///rotator.db", "installation": {"key": f"file:{KEY}"}}
    if env is not None:
        root = env.resolve().parent
        store = {"driver": "file", "root": "." if root == folder.resolve() else str(root), "format": "dotenv"}
        data["stores"] = {"dotenv": store}
    data["policies"] = {"standard": {"every": "30d", "overlap": "24h", "quiet_for": "1h"}}
    data["defaults"] = {"policy": "standard"}
    text = "# Written by `rotator init`. References only: a secret does not belong here.\n" + _dump(data)
    if env is not None:
        text += additions("dotenv", env.resolve().name, found)
    return text


def additions(store: str, ref: str, found: tuple[Candidate, ...]) -> str:
    """What a config needs for these keys: providers and credentials, and a comment for each that no driver rotates."""
    ours = [each for each in found if each.manageable]
    data = {
        "providers": {each.credential: _provider(each) for each in ours},
        "credentials": {each.credential: _credential(each, store, ref) for each in ours},
    }
    left = "".join(f"# {each.variable}: {each.form.vendor}, by hand for now\n" for each in found if each not in ours)
    # No made-up base_url: the admin credential would be sent there.
    lacking = "".join(f"# {each.credential}: base_url, the address of its server\n" for each in ours if not each.login)
    missing = f"# To be added beneath providers:\n{lacking}" if lacking else ""
    return (_dump(data) if ours else "") + missing + left


def _provider(candidate: Candidate) -> dict[str, object]:
    entry: dict[str, object] = {"driver": candidate.form.driver, "admin": candidate.admin}
    login = candidate.login
    return entry | (login.settings(ROLE) if login else {})


def _credential(candidate: Candidate, store: str, ref: str) -> dict[str, object]:
    login = candidate.login
    principal: dict[str, object] = {"principal": candidate.credential}
    if login is not None:
        principal = {"roles": list(login.roles), "owner_role": login.owner}
    template = login.template if login is not None else "{secret}"
    return {
        "provider": candidate.credential,
        "principal": principal,
        "publish": [{"store": store, "ref": ref, "fields": {candidate.variable: template}}],
    }


def _dump(data: Mapping[str, object]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
