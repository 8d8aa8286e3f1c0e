"""IAM as both drivers use it: users, lists over pages, and where AWS is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.etree.ElementTree import Element

from rotator.sdk import KeyState, Permanent, Principal, Settings, SettingsError, Transient, UnreadableError, parse_time

from .admin import SigningKey
from .answers import Answer, failure_of
from .wire import Query, text_at

VERSION = "2010-05-08"
MOST_PAGES = 1_000
PAGED = frozenset({"ListUsers", "ListRoles"})
"""Lists of the account that come in pages; those of identity providers do not."""
STATES = {"Active": KeyState.ENABLED, "Inactive": KeyState.DISABLED, "Expired": KeyState.DISABLED}
STATUSES = {KeyState.ENABLED: "Active", KeyState.DISABLED: "Inactive"}
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html
_USER = re.compile(r"(?:[!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class Region:
    """A region, and what follows from it (https://docs.aws.amazon.com/general/latest/gr/iam-service.html)."""

    name: str

    @classmethod
    def read(cls, given: Settings, default: str | None) -> Region:
        """Raises `SettingsError`."""
        name = given.text("region", default)
        if not _REGION.fullmatch(name):
            raise SettingsError("region is none of AWS's", "write it like eu-west-1")
        return cls(name)

    @property
    def partition(self) -> str:
        by_start = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((each for start, each in by_start.items() if self.name.startswith(start)), "aws")

    @property
    def of_iam(self) -> str:
        """The region that requests to IAM, of which a partition has one, are signed for."""
        return {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}[self.partition]

    @property
    def iam(self) -> str:
        """IAM's host."""
        hosts = {"aws-cn": "iam.cn-north-1.amazonaws.com.cn", "aws-us-gov": "iam.us-gov.amazonaws.com"}
        return hosts.get(self.partition, "iam.amazonaws.com")

    def host(self, service: str) -> str:
        """A service's host in this region."""
        return f"{service}.{self.name}.amazonaws.com" + (".cn" if self.partition == "aws-cn" else "")


@dataclass(frozen=True, slots=True)
class User:
    """An IAM user: a name, and the path before it."""

    path: str
    name: str

    @classmethod
    def of(cls, principal: Principal) -> User:
        """`principal.settings["user"]`, else its name; `team/app` is the user `app` at the path `/team/`."""
        try:
            text = Settings(principal.settings, ("user",)).text("user", principal.name)
        except SettingsError as wrong:
            raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
        if not _USER.fullmatch(text.removeprefix("/")):
            raise Permanent("the principal is no IAM user", "write user: NAME, or user: PATH/NAME")
        path, slash, name = text.strip("/").rpartition("/")
        return cls(path + slash, name)

    def arn(self, partition: str) -> str:
        """In whatever account: the rotator need not know it."""
        return f"arn:{partition}:iam::*:user/{self.path}{self.name}"


@dataclass(frozen=True, slots=True)
class Windows:
    """How long IAM may take: eventually consistent, and for how long is documented nowhere. Settings override it."""

    propagation: timedelta
    death: timedelta
    list_lag: timedelta

    @classmethod
    def read(cls, given: Settings) -> Windows:
        """Raises `SettingsError`."""
        return cls(
            given.duration("propagation", timedelta(seconds=60)),
            given.duration("death_window", timedelta(seconds=120)),
            given.duration("list_lag", timedelta(seconds=60)),
        )


class Iam:
    """IAM at one address, with one admin key. Safe for many threads."""

    def __init__(self, query: Query, key: SigningKey, partition: str) -> None:
        self._query = query
        self._key = key
        self.partition = partition

    @classmethod
    def opened(cls, region: Region, base_url: str | None, key: SigningKey, timeout: timedelta) -> Iam:
        """Sends nothing. Raises `SettingsError`."""
        query = Query(base_url or f"https://{region.iam}", "iam", region.of_iam, VERSION, timeout)
        return cls(query, key, region.partition)

    def ask(
        self, user: User, action: str, *, accept: Collection[str] = (), once: bool = False, **parameters: str
    ) -> Answer:
        """One request about a user: a result, or a refusal whose code is accepted. Raises what `answers` says."""
        return self._ask(user, action, parameters, accept, once=once)

    def _ask(
        self,
        user: User,
        action: str,
        parameters: Mapping[str, str],
        accept: Collection[str] = (),
        *,
        once: bool = False,
    ) -> Answer:
        answer = self._query.ask(self._key, action, {"UserName": user.name, **parameters}, once=once)
        if answer.ok or answer.code in accept:
            return answer
        need = f"iam:{action} on {user.arn(self.partition)}"
        raise failure_of(answer, need, self._query.base.name, once=once)

    def account(self, action: str, path: str) -> Iterator[Element]:
        """Everything that a list of the whole account has, over all pages."""
        parameters: dict[str, str] = {"MaxItems": "1000"} if action in PAGED else {}
        for _ in range(MOST_PAGES):
            answer = self._query.ask(self._key, action, parameters)
            if not answer.ok:
                raise failure_of(answer, f"iam:{action} on *", self._query.base.name, once=False)
            result = answer.result
            yield from [] if result is None else result.findall("/".join(f"{{*}}{each}" for each in path.split("/")))
            if text_at(result, f"{action}Result/IsTruncated") != "true":
                return
            parameters = {**parameters, "Marker": text_at(result, f"{action}Result/Marker")}
        raise Transient(f"the list of {self._query.base.name} does not end")

    def members(self, user: User, action: str, path: str, **parameters: str) -> Iterator[Element]:
        """Everything that a list has, over all pages; `path` is where its members are."""
        for _ in range(MOST_PAGES):
            result = self._ask(user, action, {"MaxItems": "1000", **parameters}).result
            found = [] if result is None else result.findall("/".join(f"{{*}}{each}" for each in path.split("/")))
            yield from found
            if text_at(result, f"{action}Result/IsTruncated") != "true":
                return
            parameters["Marker"] = text_at(result, f"{action}Result/Marker")
        raise Transient(f"the list of {self._query.base.name} does not end")


def state_of(element: Element) -> KeyState:
    """A key's, as a list tells it. Raises `Transient` for a word that AWS does not document."""
    word = text_at(element, "Status")
    if word not in STATES:
        raise Transient("IAM lists a key in an unknown state")
    return STATES[word]


def instant(element: Element | None, name: str) -> datetime | None:
    """A time that IAM tells, None where it tells none. Raises `Transient`."""
    text = text_at(element, name)
    try:
        return parse_time(text) if text else None
    except UnreadableError:
        pass  # raised below: beneath this handler the error would carry what was read as its context
    raise Transient(f"IAM answered with a strange {name}")


def policy(actions: Mapping[str, str]) -> list[dict[str, str | list[str]]]:
    """Statements that allow each action on its resource, one for each resource."""
    return [
        {"Effect": "Allow", "Action": [each for each, on in actions.items() if on == resource], "Resource": resource}
        for resource in dict.fromkeys(actions.values())
    ]
