"""One TLS context for all connections to a server: making one takes 40 ms.

Made bare, because `ssl.create_default_context` heeds SSLKEYLOGFILE and would write every session's keys there.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from rotator.adapters.clients.kubernetes.access import Server
from rotator.domain.failures import Permanent


def context_for(server: Server) -> ssl.SSLContext:
    """Trusts the server's authority alone and shows our certificate. Raises Permanent for what is no PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    what = "the certificate authority"
    try:
        if server.ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cadata=server.ca)
        what = "our client certificate or its key"
        if server.certificate is not None:
            with _as_file("\n".join(server.certificate)) as path:
                # A password, because OpenSSL asks the terminal for one where a key is encrypted.
                context.load_cert_chain(path, password=lambda: "")
    except (OSError, ValueError):  # of which ssl.SSLError is one
        failure = Permanent(f"{what} of kubernetes at {server.address} cannot be read", "write it in PEM form")
    else:
        return context
    raise failure


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path that OpenSSL can read while no file of any disk holds the key."""
    descriptor = os.memfd_create("client")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(text.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
