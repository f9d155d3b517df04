"""The load client of load.py, a process of its own so that what it takes can be told apart.

It is told on standard input, as one line of JSON: url, photos ([path, name expected, or null for any]), requests,
connections, retry (seconds to go on asking after a cut or a 503). It prints one line of JSON: what came of it, and the
processor time it took.
"""

import asyncio
import json
import resource
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Response = tuple[int, dict[str, str], bytes]  # status, headers, body


@dataclass
class Tally:
    """seconds: of each answered request. later: answered 202 first. busy: 503. cut: connections that broke."""

    answered: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    later: int = 0
    busy: int = 0
    cut: int = 0
    took: float = 0.0
    processor: float = 0.0


@dataclass
class Photo:
    body: bytes
    name: str | None


class Client:
    """Asks over `connections` connections that stay open."""

    def __init__(self, url: str, photos: list[Photo], retry: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._photos = photos
        self._retry = retry
        self.tally = Tally()

    async def run(self, requests: int, connections: int) -> None:
        numbers = iter(range(requests))
        start = time.perf_counter()
        await asyncio.gather(*(self._connection(numbers) for _ in range(connections)))
        self.tally.took = time.perf_counter() - start

    async def _connection(self, numbers: Iterator[int]) -> None:
        stream: Stream | None = None
        for number in numbers:
            photo = self._photos[number % len(self._photos)]
            key, deadline = uuid.uuid4().hex, time.monotonic() + self._retry
            request = post(self._host, f"r{number}.jpg", photo.body, key)
            start = time.perf_counter()
            while True:
                try:
                    stream = stream or await asyncio.open_connection(self._host, self._port)
                    status, headers, body = await exchange(stream, request)
                    while status == 202:
                        self.tally.later += 1
                        job = headers["location"]
                        status, headers, body = await self._poll(stream, job)
                except (OSError, EOFError, asyncio.IncompleteReadError):
                    self.tally.cut += 1
                    status, headers, body, stream = 0, {}, b"", None
                if status == 503:
                    self.tally.busy += 1
                    await asyncio.sleep(min(2.0, float(headers.get("retry-after", "1"))))
                if status not in {0, 503} or time.monotonic() > deadline:
                    break
                if not status:
                    await asyncio.sleep(0.1)
            self._count(number, photo, status, body, time.perf_counter() - start)
        if stream:
            stream[1].close()

    async def _poll(self, stream: Stream, job: str) -> Response:
        """The answer of a job that takes longer, in the classic form's words."""
        while True:
            status, headers, body = await exchange(stream, get(self._host, f"{job}?wait=10"))
            data = json.loads(body) if status == 200 else {}
            if status != 200 or data["status"] in {"done", "failed"}:
                break
        if status != 200 or data["status"] == "failed":
            return status if status != 200 else 422, headers, body
        faces = data["answer"]["faces"]
        largest = max(faces, key=lambda f: (f["box"][2] - f["box"][0]) * (f["box"][3] - f["box"][1]), default=None)
        name = largest["name"] if largest else "unknown"
        return 200, headers, f"{Path(data['answer']['source']).stem}:{name}".encode()

    def _count(self, number: int, photo: Photo, status: int, body: bytes, seconds: float) -> None:
        if status in {0, 503}:
            self.tally.lost.append(f"r{number}: {status}")
        elif status != 200 or (photo.name is not None and body.decode().strip() != f"r{number}:{photo.name}"):
            self.tally.wrong.append(f"r{number}: {status} {body[:200]!r}, not {photo.name}")
        else:
            self.tally.answered += 1
            self.tally.seconds.append(seconds)


def post(host: str, name: str, photo: bytes, key: str) -> bytes:
    boundary = "visage-load"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="inputFile"; filename="{name}"\r\n'
    body = head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + photo + f"\r\n--{boundary}--\r\n".encode()
    return (
        f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary={boundary}\r\n"
        f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def get(host: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


async def exchange(stream: Stream, request: bytes) -> Response:
    reader, writer = stream
    writer.write(request)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    if headers.get("connection", "").lower() == "close":
        writer.close()
    return int(head[0].split(" ")[1]), headers, body


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    photos = [Photo(Path(path).read_bytes(), name) for path, name in asked["photos"]]
    client = Client(asked["url"], photos, asked["retry"])
    asyncio.run(client.run(asked["requests"], asked["connections"]))
    used = resource.getrusage(resource.RUSAGE_SELF)
    client.tally.processor = used.ru_utime + used.ru_stime
    print(json.dumps(asdict(client.tally)))


if __name__ == "__main__":
    main()
