"""`rotator init`: a config and the installation key; recognises keys by form and never prints one."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rotator.app.initializing import Candidate, candidates, entry, read_env, write
from rotator.cli.errors import Told
from rotator.cli.terminal import table, terminal
from rotator.config.location import trust


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """From where."""
    parser.add_argument("--from", dest="source", metavar="FILE", help="a .env file whose keys shall be managed")


def run(args: argparse.Namespace) -> int:
    """Write both, trust the config, and say of each key found what can be done."""
    out = terminal(sys.stdout, no_color=args.no_color)
    env = Path(args.source) if args.source else None
    variables = read_env(_read(env)) if env else {}
    found = [asked(each) for each in candidates(variables)]
    config, key = write(Path(), env, found)
    trust(config)
    out.line(f"wrote {config} and {key}; keep the key: without it nobody can tell which keys are ours")
    if env is None:
        out.line("next: add a provider, a store and a credential to it, then `rotator check`")
        return 0
    entries = [entry(each) for each in found]
    if not entries:
        out.line(f"no key was recognised among {len(variables)} variables of {env}")
        return 0
    out.line()
    cells = [[each.name, each.vendor, each.lives or "not asked", each.verdict, each.how] for each in entries]
    for line in table(["found", "issued by", "answers", "verdict", "how"], cells, out):
        out.line(line)
    out.line()
    out.line(f"{len(variables) - len(entries)} other variables are no known kind of key; next: `rotator check`")
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise Told(f"{path} cannot be read: {error.strerror}", "name a .env file") from None
    except UnicodeDecodeError:
        raise Told(f"{path} is not text", "name a .env file") from None


def asked(candidate: Candidate) -> Candidate:
    """Ask read-only whether it works, where a driver can with nothing but the key itself."""
    if candidate.form.driver != "postgres":
        return candidate
    from datetime import timedelta
    from urllib.parse import unquote, urlsplit

    from rotator.app.drivers import make_provider
    from rotator.app.initializing import provider_settings
    from rotator.config.document import Where
    from rotator.config.errors import ConfigError
    from rotator.config.reading import DriverConfig
    from rotator.domain.credential import Principal
    from rotator.domain.failures import Failure
    from rotator.domain.secret import Secret

    parts = urlsplit(candidate.value)
    settings = {k: v for k, v in provider_settings(candidate).items() if k not in ("driver", "admin")}
    where = Where("the .env file", 1)
    config = DriverConfig(name=candidate.credential, driver="postgres", settings=settings, where=where)
    user = unquote(parts.username or "")
    principal = Principal(name=user, settings={"roles": (user, f"{user}_b")})
    try:
        provider = make_provider(config, "", timedelta(seconds=5))
        value = Secret({"user": user, "password": unquote(parts.password or "")})
        verdict = provider.verify(principal, value)
    except (ConfigError, Failure) as error:
        return replace(candidate, lives=error.message)
    return replace(candidate, lives=verdict.value)
