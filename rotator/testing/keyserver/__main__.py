"""`python -m rotator.testing.keyserver`: a keyserver in a process of its own, its URL on the first line of stdout.

The admin secret comes from the environment variable KEYSERVER_ADMIN or else from the first line of stdin, never from
argv. It serves until SIGTERM or SIGINT; with --while-stdin also until stdin ends, so that it never outlives whoever
started it.
"""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from queue import SimpleQueue

from rotator.testing.keyserver import codec
from rotator.testing.keyserver.behaviour import Behaviour
from rotator.testing.keyserver.errors import BadRequest
from rotator.testing.keyserver.server import ADMIN_VARIABLE, Keyserver


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        behaviour = codec.changed(Behaviour(), codec.parse(options.behaviour.encode()))
    except BadRequest as error:
        return _refuse(f"--behaviour: {error}", "give a JSON object with the fields of Behaviour")
    admin = os.environ.pop(ADMIN_VARIABLE, "") or sys.stdin.readline().strip()
    if not admin:
        return _refuse("no admin secret was given", f"set {ADMIN_VARIABLE} or write it to stdin")
    over: SimpleQueue[None] = SimpleQueue()  # an Event's lock may be held where a handler comes in between
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.put(None))
    try:
        server = Keyserver(behaviour, admin=admin, port=options.port).start()
    except OSError as error:
        return _refuse(f"port {options.port} cannot be had: {os.strerror(error.errno or 0)}", "choose another, or 0")
    sys.stdout.write(json.dumps({"url": server.url}) + "\n")
    sys.stdout.flush()
    if options.while_stdin:
        threading.Thread(target=_watch_stdin, args=(over,), daemon=True).start()
    over.get()
    server.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rotator.testing.keyserver", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, lets the kernel choose")
    parser.add_argument("--behaviour", default="{}", metavar="JSON", help="fields of Behaviour")
    parser.add_argument("--while-stdin", action="store_true", help="end when stdin does")
    return parser


def _watch_stdin(over: SimpleQueue[None]) -> None:
    # past the buffer: a thread that holds its lock would keep the interpreter from ending
    while os.read(0, 4096):
        pass
    over.put(None)


def _refuse(what: str, hint: str) -> int:
    sys.stderr.write(f"keyserver: {what}\nhint: {hint}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
