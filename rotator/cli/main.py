"""The parser of both console scripts: `rotate …` is literally `rotator rotate …`."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from rotator.cli.errors import quiet_threads
from rotator.cli.streams import settle

VERBS: dict[str, tuple[str, str]] = {
    # verb: (module, one line of help), in the order in which they are shown
    "rotate": ("rotate", "replace keys: by name, what is due, or everything that is exposed"),
    "init": ("init", "write a config and the installation key, from a .env if there is one"),
    "check": ("check", "validate the config, drivers, reachability and permissions"),
    "doctor": ("doctor", "look at this machine"),
    "config": ("config", "what of the config waits for an approval, and approve it"),
    "trust": ("trust", "accept a config in the working directory"),
    "status": ("status", "how every credential stands, or one of them in detail"),
    "why": ("why", "every reason to rotate a credential, and what stands in the way"),
    "history": ("history", "past rotations, newest first"),
    "adopt": ("adopt", "take over the key that consumers read now"),
    "resume": ("steer", "go on with a parked rotation"),
    "rollback": ("steer", "go back to the old key, before the old one dies"),
    "hold": ("steer", "stop a credential's rotations until released"),
    "release": ("steer", "let a held credential go on"),
    "revoke": ("revoke", "kill a credential's keys without a successor"),
    "acknowledge": ("acknowledge", "let a consumer prove that it has the new key"),
    "provide": ("provide", "hand over a key that a person made"),
    "find": ("find", "which managed keys are in files, directories, archives, images, processes or a text"),
    "prove": ("prove", "test the death of old keys again"),
    "sync": ("sync", "bring an added or mended store to the current value"),
    "reconcile": ("reconcile", "compare journal, stores and providers, and mend"),
    "plugins": ("plugins", "which drivers are installed, and what one of them offers"),
    "incident": ("incident", "the evidence of an incident: what was exposed, what is dead, what is left"),
    "scan": ("scan", "take in a scanner's report of leaked keys: opens an incident, rotates nothing"),
    "audit": ("audit", "bad packages here and at consumers, who is behind them, and who had one when"),
    "metrics": ("metrics", "how everything stands as metrics, once; a daemon shows them by itself"),
    "notify": ("notify", "try who is told when a person is needed, and show of what"),
    "log": ("log", "verify or export the trail, or follow it"),
    "token": ("token", "who may use the API: make, list and revoke tokens"),
    "daemon": ("daemon", "run as a service: begin what is due, advance what is open, watch over both"),
    "alive": ("alive", "whether the daemon works: for health checks"),
    "pause": ("pause", "begin no scheduled rotation for a while; emergencies go on"),
    "completion": ("completion", "let bash, zsh or fish complete these words"),
    "demo": ("demo", "a rotation and a theft, in under a minute: no server, no network"),
}

DESCRIPTION = "Rotates API keys so routinely that nobody notices, and proves the old ones dead."
CODES = "exit codes: 0 as planned · 1 findings, or rolled back · 2 bad usage, config or input · 3 incomplete"
FIRST_STEPS = """first steps:
  rotator demo                  see it work
  rotator init --from .env      write a config from what you have
  rotate NAME --dry-run         what a rotation would do
  rotate NAME                   do it

"""
WITH_VALUE = ("--config", "--state", "--server")
"""Options of every command that take a value; they may also stand before the command."""
PATIENT = 2.0
"""Seconds in which whoever is impatient is told nevertheless that it was interrupted."""


def rotate() -> NoReturn:
    """The console script `rotate`."""
    console(["rotate", *sys.argv[1:]], "rotate")


def rotator() -> NoReturn:
    """The console script `rotator`."""
    console(sys.argv[1:], "rotator")


def console(arguments: Sequence[str], prog: str) -> NoReturn:
    """Run one command as a process of its own."""
    settle()
    if "--debug" not in arguments:
        quiet_threads(prog)
    # Process 1 of a container does not hear of a SIGTERM that it has no handler for.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = main(arguments, prog=prog)
    except KeyboardInterrupt:  # the next one, right behind the first
        code = interrupted(prog)
    if signal.getsignal(signal.SIGINT) is at_once:
        sys.stdout.flush()
        at_once()  # an interpreter that winds up dies of the next Ctrl-C, with another exit code
    sys.exit(code)


def at_once(*_: object) -> NoReturn:
    """What Ctrl-C does once there was one: nothing is waited for."""
    os._exit(3)


def interrupted(prog: str) -> int:
    """Two lines, which no further Ctrl-C cuts off, unless nobody reads them; the next one after them is `at_once`."""
    patient_until = time.monotonic() + PATIENT

    def heard(*_: object) -> None:
        if time.monotonic() > patient_until:
            at_once()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, heard)
    from rotator.cli.errors import tell

    code = tell(prog, "interrupted", "`rotator status` shows what is half-way", code=3)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, at_once)
    return code


def main(
    arguments: Sequence[str], *, prog: str = "rotator", before: Callable[[argparse.Namespace], None] | None = None
) -> int:
    """Run one command; returns its exit code. `before` may change what was typed, or refuse it by raising `Told`."""
    from rotator.cli.errors import Told, tell

    debug = "--debug" in arguments
    try:
        typed = verb_first(arguments)
        args = build(prog, typed).parse_args(typed)
        if getattr(args, "version", False):
            return print_version()
        if not getattr(args, "run", None):
            build(prog, []).print_help()
            return 0
        if before is not None:
            before(args)
        code = elsewhere(args, typed) if args.server is not None else int(args.run(args))
        sys.stdout.flush()  # what cannot be written is told, and not lost at the very end
        return code
    except Told as told:
        return tell(prog, told.message, told.hint, code=told.code)
    except KeyboardInterrupt:
        return interrupted(prog)
    except Exception as error:
        if debug:
            raise
        return unexpected(prog, error)


def elsewhere(args: argparse.Namespace, typed: Sequence[str]) -> int:
    """The same words, run by the daemon's API."""
    from rotator.cli.remote import run

    return run(args, typed)


def unexpected(prog: str, error: Exception) -> int:
    """Two lines for whatever is wrong; known errors know their hint, the others are ours."""
    from rotator.cli.errors import tell
    from rotator.domain.failures import JournalOlder, Overtaken

    message, hint = getattr(error, "message", None), getattr(error, "hint", None)
    if isinstance(message, str) and isinstance(hint, str):
        code = 3 if isinstance(error, JournalOlder | Overtaken) else 2
        return tell(prog, message, hint or "`rotator check` looks at everything", code=code)
    name = type(error).__name__
    return tell(
        prog, f"an error of the rotator itself ({name})", "run it again with --debug and report what it says", code=3
    )


def verb_first(arguments: Sequence[str]) -> list[str]:
    """`rotator --config FILE status` as `rotator status --config FILE`."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("--"):
        at += 2 if arguments[at] in WITH_VALUE else 1
    if at >= len(arguments):
        return list(arguments)
    return [arguments[at], *arguments[:at], *arguments[at + 1 :]]


def print_version() -> int:
    """Which version is installed."""
    from importlib.metadata import version

    print(f"rotator {version('rotator')}")
    return 0


class Layout(argparse.RawDescriptionHelpFormatter):
    """Help with room for the longest option, and lines kept as they are written."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=27)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in two lines, with the nearest right word. `typed`: the words behind a verb."""

    typed: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        """Exit 2."""
        from rotator.cli.errors import Told
        from rotator.cli.usage import plain

        raise Told(plain(message), f"see `{self.prog} --help`", code=2)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but an option that is not known is answered with the nearest one."""
        from rotator.cli.errors import Told

        parsed, strange = self.parse_known_args(args, namespace)
        if not strange:
            return _without_empty_words(parsed)
        word = strange[0].partition("=")[0]
        options = [each for action in getattr(parsed, "actions", ()) for each in action.option_strings]
        found = difflib.get_close_matches(word, options, n=1)
        if not word.startswith("-"):
            raise Told(f"one argument too many: {word!r}", self._help(parsed))
        raise Told(f"there is no option {word}", f"did you mean {found[0]}?" if found else self._help(parsed))

    def _help(self, parsed: argparse.Namespace) -> str:
        shown = getattr(parsed, "shown", self.prog)
        return f"see `{shown} --help`"


def _without_empty_words(parsed: argparse.Namespace) -> argparse.Namespace:
    """What was typed. A word that is empty comes from a variable that is not set: never is it taken for none given."""
    from rotator.cli.errors import Told

    for action in getattr(parsed, "actions", ()):
        given = getattr(parsed, action.dest, None)
        what = action.option_strings[0] if action.option_strings else action.metavar
        if what not in (None, "--reason") and (given == "" or (isinstance(given, list) and "" in given)):
            raise Told(f"an empty word is given as {what}", "is a variable not set?")
    return parsed


def build(prog: str, arguments: Sequence[str]) -> Parser:
    """The parser; only the verb that is asked for brings its options."""
    parser = Parser(
        prog=prog,
        description=DESCRIPTION,
        epilog=FIRST_STEPS + CODES,
        allow_abbrev=False,
        formatter_class=Layout,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    wanted = arguments[0] if arguments and not arguments[0].startswith("-") else None
    if wanted is not None and wanted not in VERBS:
        raise no_such_command(prog, wanted)
    verbs = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)
    for verb, (module, line) in VERBS.items():
        shown = "rotate" if prog == "rotate" and verb == "rotate" else f"rotator {verb}"
        sub: Parser = verb_of(verbs, verb, line, shown)
        if verb == wanted:
            command = importlib.import_module(f"rotator.cli.{module}")
            sub.typed = tuple(arguments[1:])
            command.options(sub, verb)
            common(sub)
            actions = sub._actions
            sub.set_defaults(run=command.run, verb=verb, prog=prog, shown=shown, actions=actions, help=sub.print_help)
    return parser


def verb_of(verbs: Any, name: str, line: str, shown: str) -> Any:
    """A parser of these for one verb; `line` is its help, `shown` how it is typed."""
    return verbs.add_parser(
        name,
        help=line,
        description=sentence(line),
        prog=shown,
        epilog=CODES,
        allow_abbrev=False,
        formatter_class=Layout,
    )


def no_such_command(prog: str, word: str) -> Exception:
    """The answer to a misspelt command."""
    from rotator.cli.errors import Told

    near = difflib.get_close_matches(word, VERBS, n=1)
    return Told(f"there is no command {word!r}", f"did you mean {near[0]}?" if near else f"see `{prog} --help`")


def sentence(line: str) -> str:
    """A line of the list of commands as a sentence."""
    return f"{line[0].upper()}{line[1:]}."


def common(parser: argparse.ArgumentParser) -> None:
    """Options that every command has."""
    group = parser.add_argument_group("everywhere")
    group.add_argument("--config", metavar="FILE", help="the config to use")
    group.add_argument("--state", metavar="URL", help="the journal to use instead of the config's")
    group.add_argument("--server", metavar="URL", help="have the daemon there run it")
    group.add_argument("--debug", action="store_true", help="show tracebacks")
    group.add_argument("--no-color", action="store_true", help="plain text")
