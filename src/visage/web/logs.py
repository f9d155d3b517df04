"""Logs as JSON, one line each, on standard error."""

import json
import logging
import time
from typing import TextIO

# What a record may carry besides its message.
EXTRA = "fields"


class JsonFormatter(logging.Formatter):
    """time (UTC), level, message, the record's own fields, and for an exception where it came from."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, EXTRA, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_as_json(stream: TextIO) -> None:
    """From now on everything that this process logs is a line of JSON on `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("visage").setLevel(logging.INFO)
    # It warns of every request that waits for a thread, which is what threads are for.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
