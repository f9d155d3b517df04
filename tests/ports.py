"""Ports for servers that are told theirs."""

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """Below those that the system gives to whoever asks for any: it stays free until the server starts, and starts
    again."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")
