"""What is asked and changed on the server: users of its access control list, and our note within them.

The note is the key pattern of a selector that allows no command, so it grants nothing, lives and is saved with the
user, and changes in the same command as the password (Redis documentation, "ACL": selectors are there from 7.0 on).
`ACL SETUSER` itself compares nothing; a key of ours, watched since before the look and written in the same transaction,
makes it conditional among rotators. Users are changed while the server does nothing else: it has one thread for that.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rotator.sdk import Ambiguous, Conflict, Denied, Permanent, Transient
from rotator.sdk.slots import Login, Note, read_note

from .session import Session, refusal, text_of

WATCHED = "rotator:slot:"
WATCHED_SECONDS = 3600
NOTE = "%R~"
NOPASS = "nopass"
SAVING: Mapping[str, tuple[str, ...]] = {"acl-file": ("ACL", "SAVE"), "config": ("CONFIG", "REWRITE"), "none": ()}
LEAST = """\
ACL SETUSER rotator on >… resetkeys resetchannels ~rotator:slot:* -@all +watch +multi +exec +set +time +acl|getuser \
+acl|setuser +acl|save +acl|dryrun +client|kill +client|list +config|get
with `persist: config` +config|rewrite +info in place of +acl|save +config|get; with `persist: none` none of them
(who may set users can give itself every right: it is an admin, whatever else it may not)"""


def look(session: Session, names: Sequence[str], *, sessions: bool = True) -> tuple[Login, ...]:
    """The users of these names in this order; those that do not exist too."""
    seconds, _ = session.ask("TIME")
    seen_at = datetime.fromtimestamp(int(seconds), UTC)
    clients = _clients(session) if sessions else []
    return tuple(_login(session, name, seen_at, clients) for name in names)


def hold(session: Session, name: str) -> Login:
    """Begin what `change` ends: whatever another rotator does to the user from now on makes it a `Conflict`."""
    session.ask("WATCH", WATCHED + name)
    [login] = look(session, [name], sessions=False)
    return login


def change(
    session: Session,
    name: str,
    rules: Sequence[str],
    *,
    kill: bool,
    persist: str,
    lost: type[Ambiguous] | type[Transient],
) -> None:
    """Set the user as held, end its sessions, and save, in one transaction. Raises `Conflict`, `Permanent`, `Denied`.

    `lost` when the answer did not come, or the users could not be saved.
    """
    commands = [
        ("SET", WATCHED + name, secrets.token_hex(8), "EX", str(WATCHED_SECONDS)),
        ("ACL", "SETUSER", name, *rules),
        *([("CLIENT", "KILL", "USER", name)] if kill else []),
        *([SAVING[persist]] if SAVING[persist] else []),
    ]
    session.ask("MULTI")
    for command in commands:
        session.ask(*command)  # what the admin may not do is refused here, and then nothing is done
    answers = session.ask("EXEC", lost=lost)
    if answers is None:
        raise Conflict(f"somebody else changed the user {name} at the same time")
    _, made, *others = answers
    if isinstance(made, Exception):
        raise refusal(made)
    for each in others:
        if isinstance(each, Exception):
            raise lost(f"the user {name} was changed and not all that follows was done: {text_of(each)[:200]}")


def save(session: Session, persist: str) -> None:
    """Have the users outlive the server. Twice: the same."""
    if SAVING[persist]:
        session.ask(*SAVING[persist])


def check_saving(session: Session, persist: str) -> None:
    """Raises `Permanent` where the server has no file for its users: after a restart the old passwords were back."""
    if persist == "acl-file":
        file = _pairs(session.ask("CONFIG", "GET", "aclfile")).get("aclfile", b"")
    elif persist == "config":
        file = _info(session.ask("INFO", "server")).get("config_file", "")
    else:
        return
    if not file:
        hint = "set aclfile there; or write `persist: config`, or `persist: none` where a restart starts from nothing"
        raise Permanent("the server keeps its users in memory alone", hint)


def check_commands(session: Session, admin: str, persist: str) -> None:
    """Ask of each command whether the admin may run it, without running it. Raises `Denied` naming all it may not."""
    key = WATCHED + "x"
    needed = [
        ("WATCH", key),
        ("MULTI",),
        ("EXEC",),
        ("SET", key, "x"),
        ("TIME",),
        ("ACL", "GETUSER", "x"),
        ("ACL", "SETUSER", "x"),
        ("CLIENT", "KILL", "USER", "x"),
        ("CLIENT", "LIST"),
        *([SAVING[persist]] if SAVING[persist] else []),
    ]
    lacking = [_rule(each) for each in needed if text_of(session.ask("ACL", "DRYRUN", admin, *each)) != "OK"]
    if lacking:
        rules = " ".join(lacking)
        hint = f"ACL SETUSER {admin} ~{WATCHED}* {rules}"
        raise Denied(f"the admin {admin} lacks {rules}", hint, permission=rules)


def _rule(command: tuple[str, ...]) -> str:
    container = len(command) > 1 and command[0] in ("ACL", "CLIENT", "CONFIG")
    return "+" + ("|".join(command[:2]) if container else command[0]).lower()


def _login(session: Session, name: str, seen_at: datetime, clients: Sequence[Mapping[str, str]]) -> Login:
    answer = session.ask("ACL", "GETUSER", name)
    if answer is None:
        return Login(name=name, exists=False, seen_at=seen_at)
    told = _pairs(answer)
    flags = {text_of(each) for each in told.get("flags", ())}
    passwords = sorted(text_of(each) for each in told.get("passwords", ()))
    stored = NOPASS if NOPASS in flags else " ".join(passwords) or None
    used = [each for each in clients if each.get("user") == name]
    return Login(
        name=name,
        exists=True,
        open="on" in flags,
        stored=stored,
        note=_note(told.get("selectors", ())),
        seen_at=seen_at,
        sessions=len(used),
        used_by=", ".join(sorted({each["name"] for each in used if each.get("name")})[:3]),
    )


def _note(selectors: Sequence[Any]) -> Note | None:
    patterns = [text_of(_pairs(each).get("keys", b"")) for each in selectors]
    notes = [read_note(each.removeprefix(NOTE)) for each in patterns if each.startswith(NOTE)]
    return next((note for note in notes if note is not None), None)


def _pairs(flat: Sequence[Any]) -> dict[str, Any]:
    return {text_of(name): value for name, value in zip(flat[::2], flat[1::2], strict=False)}


def _clients(session: Session) -> list[dict[str, str]]:
    lines = text_of(session.ask("CLIENT", "LIST")).splitlines()
    return [dict(word.partition("=")[::2] for word in line.split(" ")) for line in lines]


def _info(answer: Any) -> dict[str, str]:
    return dict(line.partition(":")[::2] for line in text_of(answer).splitlines() if ":" in line)
