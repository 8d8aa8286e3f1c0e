"""What the admin role may do, asked without changing anything, and the SQL that gives it what it lacks.

Before PostgreSQL 16 `CREATEROLE` is enough for every role that is no superuser; from 16 on it also takes `ADMIN OPTION`
on each role, which whoever creates a role has at once (PostgreSQL 16 release notes; documentation, "Role Attributes").
Ending sessions takes `pg_signal_backend` or the privileges of the role ("Server Signaling Functions").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pg8000.native import identifier, literal

from rotator.sdk import Denied

from .session import Session

ADMIN_OPTION_SINCE = 160000
LEAST = """\
CREATE ROLE rotator LOGIN CREATEROLE PASSWORD '…'; GRANT pg_signal_backend TO rotator;
from PostgreSQL 16 on, for owner_role and for roles that exist: GRANT app, app_a, app_b TO rotator WITH ADMIN OPTION;
to notice passwords changed by hand: GRANT SELECT (rolname, rolpassword) ON pg_authid TO rotator;"""

_ADMIN = """
SELECT current_setting('server_version_num')::int, rolsuper, rolcreaterole, pg_has_role('pg_signal_backend', 'USAGE')
FROM pg_roles WHERE rolname = current_user
"""
_ROLES = """
SELECT wanted.name, r.oid IS NOT NULL, coalesce(r.rolsuper, false),
       coalesce(pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'), false), coalesce(pg_has_role(r.oid, 'USAGE'), false),
       EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.roleid
               WHERE m.member = r.oid AND o.rolname = {owner})
FROM unnest({names}) WITH ORDINALITY AS wanted(name, place) LEFT JOIN pg_roles r ON r.rolname = wanted.name
ORDER BY wanted.place
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the admin's arm reaches to one role. `owned`: the role is a member of the owner role already."""

    name: str
    exists: bool
    superuser: bool
    admin_option: bool
    privileged: bool
    owned: bool


@dataclass(frozen=True, slots=True)
class Admin:
    """The admin role itself, on a server of this version."""

    name: str
    version: int
    superuser: bool
    creates: bool
    signals: bool


def check(session: Session, name: str, slots: Sequence[str], owner: str | None) -> None:
    """Ask whether the admin may do all that the driver does. Raises `Denied` naming everything that is missing."""
    [found] = session.run(_ADMIN)
    wanted = [*slots, *([owner] if owner else [])]
    names = f"ARRAY[{', '.join(literal(each) for each in wanted)}]::text[]"
    reach = {row[0]: Reach(*row) for row in session.run(_ROLES.format(owner=literal(owner), names=names))}
    lacks = list(lacking(Admin(name, *found), [reach[slot] for slot in slots], reach[owner] if owner else None))
    if lacks:
        permissions = ", ".join(permission for permission, _ in lacks)
        statements = " ".join(statement for _, statement in lacks)
        raise Denied(f"the admin {name} lacks {permissions}", statements, permission=permissions)


def lacking(admin: Admin, slots: Sequence[Reach], owner: Reach | None) -> Iterator[tuple[str, str]]:
    """What is missing, each with the statement that gives it."""
    grantee = identifier(admin.name)
    if owner is not None and not owner.exists:
        yield f"the role {owner.name}", f"CREATE ROLE {identifier(owner.name)} NOLOGIN;"
    if admin.superuser:
        return
    if not admin.creates:
        yield "CREATEROLE", f"ALTER ROLE {grantee} CREATEROLE;"
    granted = [owner] if owner is not None and not all(slot.owned for slot in slots) else []
    for role in (*slots, *granted):
        if role.superuser:
            yield f"power over the superuser {role.name}", f"ALTER ROLE {identifier(role.name)} NOSUPERUSER;"
        elif role.exists and not role.admin_option and admin.version >= ADMIN_OPTION_SINCE:
            statement = f"GRANT {identifier(role.name)} TO {grantee} WITH ADMIN OPTION;"
            yield f"ADMIN OPTION on {role.name}", statement
    if not admin.signals and not all(slot.privileged for slot in slots):
        yield "pg_signal_backend", f"GRANT pg_signal_backend TO {grantee};"
