"""Waking a process on the same machine, which SQLite cannot: a datagram to a port of 127.0.0.1.

It may get lost, and anybody on the machine may ring; so whoever wakes looks for himself, and wakes at times unasked.
"""

import socket

from visage.core.errors import StorageError

_HERE = "127.0.0.1"


class Bell:
    """A port to be rung at. One thread waits; any may ring."""

    def __init__(self) -> None:
        self._socket = bound()
        self.port = int(self._socket.getsockname()[1])

    def wait(self, seconds: float) -> bool:
        """Sleep until it rings, `seconds` at most; whether it rang."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            self._socket.recv(16)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()


def bound() -> socket.socket:
    """A socket for datagrams, at a free port."""
    try:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((_HERE, 0))
    except OSError as error:
        raise StorageError(f"cannot listen on {_HERE}: {error.strerror}; is there a limit on open files?") from error
    return made


def ring(port: int, message: bytes = b"!") -> bool:
    """Send to the port; False where certainly nobody is there. The system says so at once, on the way back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        try:
            caller.connect((_HERE, port))
            caller.send(message)
            caller.setblocking(False)
            caller.recv(1)
        except BlockingIOError:
            return True  # no refusal came back
        except OSError:
            return False
    return True
