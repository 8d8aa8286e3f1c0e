"""What places are called in Secrets Manager, and how such names stand in a policy.

A name has at most 512 ASCII letters, digits and `/_+=.@-`; AWS adds a hyphen and six random characters to make the ARN
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html).
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from rotator.adapters.stores.names import components
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Permanent
from rotator.domain.times import quoted

ALLOWED = re.compile(r"[A-Za-z0-9/_+=.@-]+")
LONGEST = 512
PRIVATE_KINDS = (PlaceKind.PENDING, PlaceKind.PREVIOUS)


def name_of(place: Place, private: str) -> str:
    """The name of a place's secret. Raises Permanent where AWS allows no such name, or it is the rotator's own."""
    prefix(place.ref, place.kind, private)
    if place.kind is PlaceKind.CURRENT:
        return _fitting(place.ref)
    # `=` instead of the usual `%`, which no name may have.
    of = quote(place.of, safe="@+").replace("~", "%7E").replace("%", "=")
    if not of:
        raise Permanent(f"a {place.kind.value} value of {quoted(place.ref)} is nobody's", "name its key or rotation")
    return _fitting(f"{prefix(place.ref, place.kind, private)}{of}")


def prefix(ref: str, kind: PlaceKind, private: str) -> str:
    """With what the names of a reference's pending or previous secrets begin. Raises as `name_of`."""
    components(ref, private)
    if not ALLOWED.fullmatch(ref):
        hint = "AWS allows ASCII letters, digits and /_+=.@- in names; an ARN is none"
        raise Permanent(f"{quoted(ref)} is no name of a secret", hint)
    return f"{private}/{kind.value}/{ref}/"


def place_of(name: str, ref: str, private: str) -> Place | None:
    """The place of a private secret; None where it is another reference's."""
    for kind in PRIVATE_KINDS:
        start = prefix(ref, kind, private)
        of = name[len(start) :]
        if name.startswith(start) and of and "/" not in of:
            return Place(ref=ref, kind=kind, of=unquote(of.replace("=", "%")))
    return None


def arn(name: str, region: str) -> str:
    """The ARN of a secret as a policy names it, whichever account's and whatever its six random characters are."""
    return f"{_arns(region)}{name}-??????"


def private_arns(private: str, region: str) -> str:
    """The ARNs of all that is the rotator's own."""
    return f"{_arns(region)}{private}/*"


def _arns(region: str) -> str:
    partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0], "aws")
    return f"arn:{partition}:secretsmanager:{region}:*:secret:"


def _fitting(name: str) -> str:
    if len(name) > LONGEST:
        raise Permanent(f"{quoted(name)} is too long to be a name", f"AWS takes {LONGEST} characters")
    return name
