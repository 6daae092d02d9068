"""Listening sockets of the role processes, and the certificates that they use.

A socket that `up` passes on stays open while its process restarts, so clients wait for a moment instead of being refused.
"""

import socket
import ssl
from pathlib import Path

from mailcordon.core.errors import BadConfig
from mailcordon.host import listening
from mailcordon.host.listening import Wanted
from mailcordon.messages import settings


def open_listener(number: int | None, setting: str, wanted: Wanted) -> socket.socket:
    """The socket with this number if there is one, else a new one.

    Raises PortTaken, or BadConfig for a number that is not a listening socket; `setting` says which setting gave it.
    """
    if number is None:
        return listening.listen(wanted)
    try:
        listener = socket.socket(fileno=number)
        accepting = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise BadConfig(settings.fd_wrong(setting=setting, number=number, why=error.strerror or "")) from None
    if not accepting:
        listener.detach()
        why = settings.socket_not_listening()
        raise BadConfig(settings.fd_wrong(setting=setting, number=number, why=why))
    return listener


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """None without a certificate. Raises BadConfig for files that are no certificate with its key."""
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or str(error)
        raise BadConfig(settings.tls_not_readable(path=str(certificate), why=why)) from None
    return context
