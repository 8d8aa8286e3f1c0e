"""The principal's own words: `roles`, used in turn, and `owner_role`."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.sdk import Permanent, Principal, Settings, SettingsError, quoted

LONGEST_NAME = 63
"""Bytes of an identifier (`NAMEDATALEN` less one); the server cuts off what is longer."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The roles that are slots, and the role that owns what they make, if any."""

    roles: tuple[str, ...]
    owner: str | None

    @classmethod
    def of(cls, principal: Principal, admin: str) -> Slots:
        """Read them. Raises `Permanent` for what cannot be rotated, the admin's own role above all."""
        given = Settings(principal.settings)
        try:
            roles = given.texts("roles")
            owner = given.text("owner_role") if given.has("owner_role") else None
            given.finish()
        except SettingsError as wrong:
            raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
        if len(roles) < 2:
            raise Permanent("principal: roles names one role", "two are used in turn: roles: [app_a, app_b]")
        for name in (*roles, *([owner] if owner else [])):
            _refuse_impossible(name)
        if admin in roles:
            raise Permanent(f"principal: {quoted(admin)} is the admin's own role", "give the rotator a role of its own")
        if owner in roles:
            raise Permanent(f"principal: {quoted(owner)} cannot own itself", "name a third role as owner_role")
        return cls(roles, owner)


def _refuse_impossible(name: str) -> None:
    if "@" in name or not name.isprintable() or len(name.encode()) > LONGEST_NAME:
        hint = f"a role's name has at most {LONGEST_NAME} bytes, no @ and no control character"
        raise Permanent(f"principal: {quoted(name)} cannot be used as a role", hint)
