"""Where each config was in force last: which journal, which installation; kept on this machine, outside of both.

Else a config that names an empty journal would make the next start look like the first one ever, and one that names
another database or another store would get the secrets that open it before anybody could compare it with anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rotator.config.changes import Change, compare
from rotator.config.errors import ConfigError
from rotator.config.location import state_folder
from rotator.config.reading import Tree
from rotator.config.secrecy import dotted

MOST_NAMED = 5
"""Keys that a refusal names."""


def opened(config: Path, environment: Mapping[str, str] = os.environ) -> Tree | None:
    """What its journal was opened with (`rotator.config.opening`); None where it was never in force here."""
    known = _known(environment).get(_name(config))
    if known is None:
        return None
    found = known.get("opening")
    return found if isinstance(found, dict) else {}


def not_as_opened(
    config: Path, opening: Tree, *, stated: bool, environment: Mapping[str, str] = os.environ
) -> tuple[Change, ...]:
    """What differs from what its journal was opened with. `stated`: the environment or an option names the journal."""
    before = opened(config, environment)
    if before is None:
        return ()
    changes = compare(before, opening)
    return tuple(each for each in changes if not (stated and each.path == ("state", "url")))


def check_opening(config: Path, opening: Tree, *, stated: bool, environment: Mapping[str, str] = os.environ) -> None:
    """Raises `ConfigError` where it differs; to be called before anything of the config is followed."""
    changes = not_as_opened(config, opening, stated=stated, environment=environment)
    if not changes:
        return
    named = ", ".join(dotted(each.path) for each in changes[:MOST_NAMED])
    more = f" and {len(changes) - MOST_NAMED} more" if len(changes) > MOST_NAMED else ""
    raise ConfigError(
        f"{config} opens its journal otherwise than when it was in force last, and nobody approved that: {named}{more}",
        f"`{_run(environment)} diff` shows it, `{_run(environment)} approve` if it is meant",
    )


def check(
    config: Path, state: str, installation: str, *, approved: bool, environment: Mapping[str, str] = os.environ
) -> None:
    """Raises `ConfigError` where it was in force elsewhere. `approved`: the journal knows of an approval in it.

    `installation`: its public key. Where nothing can be kept, nothing is known.
    """
    known = _known(environment).get(_name(config))
    if known is None:
        return
    hint = f"`{_run(environment)} approve` if that is meant, or remove its line from {_book(environment)}"
    if known.get("installation") != installation:
        raise ConfigError(
            f"{config} names another installation key than when it was in force last",
            f"if that is meant, remove its line from {_book(environment)}",
        )
    if known.get("state") != state and not approved:
        raise ConfigError(f"{config} names another journal than when it was in force last", hint)


def note(config: Path, state: str, installation: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Remember that it is in force here; False where that cannot be kept. Twice: nothing more."""
    return _noted(config, {"state": state, "installation": installation}, environment)


def note_opening(config: Path, opening: Tree, environment: Mapping[str, str] = os.environ) -> bool:
    """Remember what its journal may be opened with, as `note`."""
    return _noted(config, {"opening": opening}, environment)


def _noted(config: Path, said: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    known, name = _known(environment), _name(config)
    fresh = {**known.get(name, {}), **said}
    if known.get(name) == fresh:
        return True
    try:
        book = _book(environment)
        book.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = book.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({**known, name: fresh}, file, indent=1, sort_keys=True)
        draft.replace(book)
    except (OSError, ConfigError):
        return False  # `approve` says so; else nothing is known here, as at a first start
    return True


def _name(config: Path) -> str:
    """Of the path as it was given: where a config is mounted, each version of it is a link to another file."""
    return os.path.abspath(config)  # noqa: PTH100 - Path.resolve follows links, Path.absolute leaves `..` in


def _known(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    try:
        known = json.loads(_book(environment).read_text())
    except (OSError, ValueError, ConfigError):
        return {}
    return {name: each for name, each in known.items() if isinstance(each, dict)} if isinstance(known, dict) else {}


def _book(environment: Mapping[str, str]) -> Path:
    if environment.get("STATE_DIRECTORY"):
        return Path(environment["STATE_DIRECTORY"].split(":")[0]) / "in-force.json"
    return state_folder(environment) / "in-force.json"


def _run(environment: Mapping[str, str]) -> str:
    """How a person runs the command so that it finds the same book: a service may have a folder of its own."""
    folder = environment.get("STATE_DIRECTORY", "").split(":")[0]
    return f"STATE_DIRECTORY={folder} rotator config" if folder else "rotator config"
