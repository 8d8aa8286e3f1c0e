"""A whole feed against components: records that are names of one thing are told together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from rotator.adapters.advisories.matching import Verdict, judge, readable
from rotator.domain.advisories import MALICIOUS, Advisory, Affected, Feed, parted
from rotator.domain.aliases import Aliases
from rotator.domain.findings import Match, Withdrawn
from rotator.domain.packages import Component, Package

SOURCE = "advisories"


class Matcher:
    """Finds the records about a component. Reading a feed once is enough for any number of components."""

    def __init__(self, feed: Feed) -> None:
        self._standing: dict[Package, list[tuple[Advisory, Affected]]] = defaultdict(list)
        self._withdrawn: dict[Package, list[tuple[Advisory, Affected]]] = defaultdict(list)
        self._known = {each.id for each in feed.advisories}
        self._aliases = Aliases()
        for each in feed.advisories:
            kept = self._standing if each.withdrawn is None else self._withdrawn
            for affected in each.affected:
                kept[affected.package].append((each, affected))
            if each.withdrawn is None:  # what was taken back joins nothing
                self._aliases.join((each.id, *each.aliases))
        self._ids = self._aliases.sets()
        self._planted = self._all_planted(feed)

    def matches(self, component: Component) -> Iterator[Match]:
        """What the feed says of it; nothing for what it does not name."""
        package, suffix = _plain(component)
        for advisory, affected in self._about(self._standing, package, suffix):
            verdict = judge(affected, component.version)
            if verdict.affected is not False:
                yield self._match(component, advisory, affected, verdict)

    def withdrawn(self, component: Component) -> Iterator[Withdrawn]:
        """Records that would be about it, had they not been taken back."""
        package, suffix = _plain(component)
        for advisory, affected in self._about(self._withdrawn, package, suffix):
            if advisory.withdrawn is not None and judge(affected, component.version).affected is not False:
                yield Withdrawn(
                    package=component.package,
                    version=component.version,
                    id=advisory.id,
                    since=advisory.withdrawn,
                    summary=advisory.summary,
                )

    @staticmethod
    def _about(
        among: dict[Package, list[tuple[Advisory, Affected]]], package: Package, suffix: str
    ) -> Iterator[tuple[Advisory, Affected]]:
        for advisory, affected in among.get(package, ()):
            if not suffix or not affected.suffix or suffix == affected.suffix:
                yield advisory, affected

    def _match(self, component: Component, advisory: Advisory, affected: Affected, verdict: Verdict) -> Match:
        root = self._aliases.root(advisory.id)
        return Match(
            package=component.package,
            version=component.version,
            ids=self._ids[root],
            source=SOURCE,
            sure=verdict.affected is True,
            why=verdict.why,
            malicious=(root, affected.package) in self._planted,
            any_version=affected.any_version,
            summary=advisory.summary,
            fixed=verdict.fixed,
        )

    def _all_planted(self, feed: Feed) -> set[tuple[str, Package]]:
        """Packages with planted code, by the thing's root: a record says so, or is a name of one that says so."""
        found = set()
        for each in feed.advisories:
            elsewhere = any(alias.startswith(MALICIOUS) and alias not in self._known for alias in each.aliases)
            if each.withdrawn is None and (each.malicious or elsewhere):
                found |= {(self._aliases.root(each.id), affected.package) for affected in each.affected}
        return found


def unreadable(component: Component) -> str:
    """Why no record could ever be held against it; "" when they can."""
    ecosystem, _ = parted(component.package.ecosystem)
    if component.version and readable(ecosystem, component.version) is False:
        return f"the version is none that {ecosystem} knows"
    return ""


def _plain(component: Component) -> tuple[Package, str]:
    ecosystem, suffix = parted(component.package.ecosystem)
    return Package(ecosystem, component.package.name), suffix
