"""A job's state as server-sent events. A stream holds one of the server's threads, so there are few, and none is long.

A browser's EventSource asks again by itself when a stream ends; so where no more can be had, a stream of one event
does: it is asked for again and again, as by a client that knows no streams.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, request

from visage.core.errors import VisageError
from visage.web.channel import LEAVING

KIND = "text/event-stream"

# For the OpenAPI document.
EVENTS = {"description": "A stream of events.", "content": {KIND: {"schema": {"type": "string"}}}}

# Streams at the same time.
STREAMS = 16

# Seconds between two looks at the job, or two signs of life, by which a client that is gone is noticed; and
# milliseconds after which to ask again.
_EVERY = 1.0
_AGAIN = 2000

_OVER = {"done", "failed"}

# Waits for a change so many seconds at most; the state, whether or not it changed.
State = Callable[[float], dict[str, Any]]


class Events:
    """Used by many threads at once."""

    def __init__(self) -> None:
        self._room = threading.BoundedSemaphore(STREAMS)

    def response(self, state: State, seconds: float) -> Response:
        """A stream that ends with the job, after so many seconds, or when the server is asked to leave."""
        free = self._room.acquire(blocking=False)
        leaving = request.environ.get(LEAVING, lambda: False)
        response = Response(_stream(state, seconds if free else 0.0, leaving), content_type=KIND)
        response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the events back
        if free:
            response.call_on_close(self._room.release)
        return response


def _stream(state: State, seconds: float, leaving: Callable[[], bool]) -> Iterator[str]:
    yield f"retry: {_AGAIN}\n\n"
    end = time.monotonic() + seconds
    told, wait = "", 0.0
    while True:
        try:
            now = state(wait)
        except VisageError:  # who asks again is told
            return
        text = json.dumps(now, separators=(",", ":"))
        yield f"event: state\ndata: {text}\n\n" if text != told else ":\n\n"
        if now["status"] in _OVER or time.monotonic() >= end:
            return
        if leaving():
            yield ": the service ends; ask again\n\n"
            return
        told, wait = text, _EVERY
