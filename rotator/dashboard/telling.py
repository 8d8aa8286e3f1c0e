"""Of which credentials the pages tell: also of those that only the journal still knows."""

from __future__ import annotations

from rotator.api.callers import Caller
from rotator.api.problems import unknown
from rotator.app.assembly import Assembly
from rotator.app.one_credential import told_of


def told(caller: Caller, assembly: Assembly, name: str) -> str:
    """The name of a credential that is seen and known. Raises `Problem` 404, in the same words for both.

    One that the config has no more is nobody's: who sees only some owners' credentials does not see it.
    """
    known = name.isprintable() and caller.scope.sees(assembly.config, name) and told_of(assembly, [name])
    if not known:
        raise unknown("credential", name)
    return name
