"""A small stand-in for the instance metadata service, version 2: it wants its token, and counts what it is asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Told:
    """What the instance is told, by path; change it at any time. tokens: those given; forget: the old hold no more."""

    def __init__(self, instance: str) -> None:
        self.values = {"instance-id": instance, "placement/region": "us-east-1"}
        self.tokens: list[str] = []
        self.fault = 0
        self.address = ""

    def forget(self) -> None:
        self.tokens.append("")


@contextmanager
def metadata_server(instance: str) -> Iterator[Told]:
    told = Told(instance)

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            seconds = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            if self.path != "/latest/api/token" or not seconds:
                self.answer(400, "")
                return
            told.tokens.append(f"token-{len(told.tokens)}")
            self.answer(200, told.tokens[-1])

        def do_GET(self) -> None:
            if told.fault:
                self.answer(told.fault, "")
            elif self.headers.get("X-aws-ec2-metadata-token") != (told.tokens or [""])[-1] or not told.tokens[-1]:
                self.answer(401, "")
            else:
                value = told.values.get(self.path.removeprefix("/latest/meta-data/"))
                self.answer(404 if value is None else 200, value or "")

        def answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    told.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
