"""What is asked and changed on the server. Statements are composed here and nowhere else, every name quoted.

A role's row in `pg_authid` is the lock: `ALTER ROLE` without an option writes it as it is, so that everybody else who
changes the role, from whatever database, waits for the end of the transaction and is then refused ("tuple concurrently
updated"). An advisory lock would hold in one database only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from pg8000.native import identifier, literal

from rotator.sdk import Denied, Permanent

from .scram import DIGEST_LENGTH
from .session import Session
from .slot import Note, Role

PROGRAMS_SHOWN = 3
LONGEST_SHOWN = 80
_READABLE = """
SELECT has_column_privilege('pg_catalog.pg_authid', 'rolname', 'SELECT')
   AND has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')
"""
_LOOK = """
SELECT wanted.name, r.oid IS NOT NULL, coalesce(r.rolcanlogin, false),
       coalesce(shobj_description(r.oid, 'pg_authid'), ''), clock_timestamp(), {stored},
       coalesce(used.sessions, 0), used.programs
FROM unnest({names}) WITH ORDINALITY AS wanted(name, place)
LEFT JOIN pg_roles r ON r.rolname = wanted.name
LEFT JOIN (
    SELECT usesysid, count(*) AS sessions,
           array_agg(DISTINCT application_name) FILTER (WHERE application_name <> '') AS programs
    FROM pg_stat_activity GROUP BY usesysid
) used ON used.usesysid = r.oid
ORDER BY wanted.place
"""
_STORED = """
(SELECT left(encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex'), {length})
 FROM pg_authid WHERE rolname = wanted.name)
"""
_OWNED = """
SELECT EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid AND roleid = o.oid),
       EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = r.oid AND setdatabase = 0 AND {setting} = ANY (setconfig))
FROM pg_roles r, pg_roles o WHERE r.rolname = {name} AND o.rolname = {owner}
"""
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usesysid = (SELECT oid FROM pg_roles WHERE rolname = {name})
"""


def look(session: Session, names: Sequence[str]) -> tuple[Role, ...]:
    """The roles of these names in this order, as of one instant; those that do not exist too."""
    [[readable]] = session.run(_READABLE)
    stored = _STORED.format(length=DIGEST_LENGTH) if readable else "NULL"
    wanted = f"ARRAY[{', '.join(literal(name) for name in names)}]::text[]"
    rows = session.run(_LOOK.format(stored=stored, names=wanted))
    return tuple(
        Role(
            name=name,
            exists=exists,
            login=login,
            comment=comment,
            seen_at=at.astimezone(UTC),
            readable=readable,
            stored=password,
            sessions=sessions,
            used_by=_shown(programs or ()),
        )
        for name, exists, login, comment, at, password, sessions, programs in rows
    )


def hold(session: Session, name: str) -> Role:
    """Begin a transaction that nobody else changes the role in, and look. A role that is not there is not held.

    Raises `Transient` when somebody holds it for half the time of a call, `Conflict` when he changed it meanwhile.
    """
    session.run("BEGIN")
    [role] = look(session, [name])
    if not role.exists:
        return role
    session.run(f"ALTER ROLE {identifier(name)}")
    [role] = look(session, [name])
    return role


def fill(session: Session, role: Role, note: Note, verifier: str, owner: str | None) -> None:
    """Give the role this password and let it log in; make it, if it is not there. In `hold`'s transaction."""
    _make(session, role)
    name = identifier(role.name)
    session.run(f"ALTER ROLE {name} LOGIN PASSWORD {literal(verifier)} VALID UNTIL 'infinity'")
    if owner is not None:
        _own(session, role.name, owner)
    annotate(session, role, note)


def permit(session: Session, role: Role, note: Note | None, *, login: bool) -> None:
    """Let the role log in with the password that it has, or not. In `hold`'s transaction."""
    session.run(f"ALTER ROLE {identifier(role.name)} {'LOGIN' if login else 'NOLOGIN'}")
    if note is not None:
        annotate(session, role, note)


def empty(session: Session, role: Role, note: Note) -> None:
    """Leave the role without password and login. In `hold`'s transaction.

    Without an expiry too: a login refused from now on is refused for its password, never for the date.
    """
    _make(session, role)
    session.run(f"ALTER ROLE {identifier(role.name)} NOLOGIN PASSWORD NULL VALID UNTIL 'infinity'")
    annotate(session, role, note)


def annotate(session: Session, role: Role, note: Note) -> None:
    """Write the note into the role's comment."""
    session.run(f"COMMENT ON ROLE {identifier(role.name)} IS {literal(note.within(role.comment))}")


def signal_sessions(session: Session, name: str, admin: str) -> bool:
    """Ask the role's sessions to end, which are never ours; whether there was one. Raises `Denied` naming the grant.

    Within a transaction PostgreSQL shows the sessions as they were when it was first asked.
    """
    try:
        return bool(session.run(_END.format(name=literal(name))))
    except Denied:
        hint = f"GRANT pg_signal_backend TO {identifier(admin)};"
        raise Denied(
            f"sessions of {name} are open and the admin may not end them", hint, permission="pg_signal_backend"
        ) from None


def end_sessions(session: Session, name: str, admin: str) -> None:
    """End the role's sessions and see them gone. In no transaction.

    Raises `Denied` naming the grant, `Transient` when one does not end in time. May be called twice.
    """
    while signal_sessions(session, name, admin):
        session.run("SELECT pg_sleep(0.02)")


def _make(session: Session, role: Role) -> None:
    if not role.exists:
        attributes = "NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        session.run(f"CREATE ROLE {identifier(role.name)} {attributes}")


def _own(session: Session, name: str, owner: str) -> None:
    """What the role makes belongs to the owner, so that it does not matter which of the two made it."""
    setting = literal(f"role={owner}")
    found = session.run(_OWNED.format(setting=setting, name=literal(name), owner=literal(owner)))
    if not found:
        raise Permanent(f"there is no role {owner}", f"CREATE ROLE {identifier(owner)} NOLOGIN;")
    [[member, set_already]] = found
    if not member:
        session.run(f"GRANT {identifier(owner)} TO {identifier(name)}")
    if not set_already:
        session.run(f"ALTER ROLE {identifier(name)} SET role = {literal(owner)}")


def _shown(programs: Sequence[str]) -> str:
    names = ["".join(c if c.isprintable() else "?" for c in each) for each in programs]
    more = f" and {len(names) - PROGRAMS_SHOWN} more" if len(names) > PROGRAMS_SHOWN else ""
    return (", ".join(names[:PROGRAMS_SHOWN]) + more)[:LONGEST_SHOWN]
