"""The parser of both console scripts: `rotate …` is literally `rotator rotate …`."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

VERBS: dict[str, tuple[str, str]] = {
    # verb: (module, one line of help), in the order in which they are shown
    "rotate": ("rotate", "replace keys: by name, what is due, or all that is exposed"),
    "init": ("init", "write a config and the installation key, from a .env if there is one"),
    "check": ("check", "validate the config, drivers, reachability and permissions"),
    "doctor": ("doctor", "look at this machine"),
    "trust": ("trust", "accept a config in the working directory"),
    "status": ("status", "how every credential stands"),
    "why": ("why", "every reason to rotate a credential, and what stands in the way"),
    "history": ("history", "past rotations"),
    "adopt": ("adopt", "take over the key that consumers read now"),
    "resume": ("steer", "go on with a parked rotation"),
    "rollback": ("steer", "go back to the old key, before the old one dies"),
    "hold": ("steer", "stop a credential's rotations until released"),
    "release": ("steer", "let a held credential go on"),
    "revoke": ("revoke", "kill a credential's keys without a successor"),
    "prove": ("prove", "test the death of old keys again"),
    "reconcile": ("reconcile", "compare journal, stores and providers, and mend"),
    "plugins": ("plugins", "which drivers are installed"),
    "log": ("log", "verify or export the trail"),
    "demo": ("demo", "see a rotation and a theft, in under a minute, with nothing installed"),
}

EPILOG = "exit codes: 0 as planned · 1 findings, or rolled back · 2 bad usage, config or input · 3 incomplete"


def rotate() -> NoReturn:
    """The console script `rotate`."""
    sys.exit(main(["rotate", *sys.argv[1:]], prog="rotate"))


def rotator() -> NoReturn:
    """The console script `rotator`."""
    sys.exit(main(sys.argv[1:], prog="rotator"))


def main(arguments: Sequence[str], *, prog: str = "rotator") -> int:
    """Run one command; returns its exit code."""
    from rotator.cli.errors import Told, tell

    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    debug = "--debug" in arguments
    try:
        args = build(prog, list(arguments)).parse_args(list(arguments))
        if not getattr(args, "run", None):
            build(prog, []).print_help()
            return 2 if arguments else 0
        return int(args.run(args))
    except Told as told:
        return tell(prog, told.message, told.hint, code=told.code)
    except KeyboardInterrupt:
        return tell(prog, "interrupted", "`rotator status` shows what is half-way", code=3)
    except Exception as error:
        if debug:
            raise
        return unexpected(prog, error)


def unexpected(prog: str, error: Exception) -> int:
    """Two lines for whatever is wrong; known errors know their hint, the others are ours."""
    from rotator.cli.errors import tell

    message, hint = getattr(error, "message", None), getattr(error, "hint", None)
    if isinstance(message, str) and isinstance(hint, str):
        return tell(prog, message, hint or "`rotator check` looks at everything", code=2)
    name = type(error).__name__
    return tell(
        prog, f"an error of the rotator itself ({name})", "run it again with --debug and report what it says", code=3
    )


class Parser(argparse.ArgumentParser):
    """Says what is wrong in two lines, with the nearest right word."""

    def error(self, message: str) -> NoReturn:
        """Exit 2."""
        from rotator.cli.errors import Told

        raise Told(message, f"see `{self.prog} --help`", code=2)


def build(prog: str, arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the verb that is asked for brings its options."""
    scripts = {"rotate": "rotate", "rotator": "rotator"}
    parser = Parser(
        prog=scripts.get(prog, prog), description=__doc__ and description(), epilog=EPILOG, allow_abbrev=False
    )
    verbs = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)
    wanted = next((each for each in arguments if not each.startswith("-")), None)
    for verb, (module, line) in VERBS.items():
        shown = "rotate" if prog == "rotate" and verb == "rotate" else f"rotator {verb}"
        sub = verbs.add_parser(verb, help=line, description=line, prog=shown, epilog=EPILOG, allow_abbrev=False)
        if verb == wanted:
            command = importlib.import_module(f"rotator.cli.{module}")
            command.options(sub, verb)
            common(sub)
            sub.set_defaults(run=command.run, verb=verb, prog=prog)
    return parser


def description() -> str:
    """What the program is, in a sentence."""
    return "Rotates API keys so routinely that nobody notices, and proves the old ones dead."


def common(parser: argparse.ArgumentParser) -> None:
    """Options that every command has."""
    group = parser.add_argument_group("everywhere")
    group.add_argument("--config", metavar="FILE", help="the config to use")
    group.add_argument("--state", metavar="URL", help="the journal to use instead of the config's")
    group.add_argument("--debug", action="store_true", help="show tracebacks and every intent")
    group.add_argument("--no-color", action="store_true", help="plain text")
