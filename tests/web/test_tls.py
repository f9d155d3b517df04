"""The server's own TLS: large bodies, slow and plain clients, many at once."""

import contextlib
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from tests.web.fakes import Tier, form
from tests.web.wire import CLASSIC, post, problem, read, served
from visage.core.errors import UsageError
from visage.web.server import tls_context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    try:
        subprocess.run(["openssl", *words.split(), *names], check=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    return cert, key


def test_tls(tier: Tier, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    trusting = ssl.create_default_context(cafile=str(cert))
    large = form("inputFile", b"x" * 900_000)[0]
    with served(tier, tls=tls_context(str(cert), str(key)), patience=0.5) as connect:
        with trusting.wrap_socket(connect(), server_hostname="localhost") as client:
            for body in (CLASSIC, large, CLASSIC):
                client.sendall(post(body))
                assert read(client)[2] == b"face:Ada"
            client.sendall(post(length=2_000_000))
            problem(413, read(client))
        with connect() as plain:
            plain.sendall(post())
            with contextlib.suppress(ConnectionResetError):
                assert not plain.recv(4096).startswith(b"HTTP")
        with trusting.wrap_socket(connect(), server_hostname="localhost") as slow:
            slow.sendall(post()[:100])
            problem(408, read(slow))


def test_tls_of_many_at_once(tier: Tier, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    trusting = ssl.create_default_context(cafile=str(cert))
    body = form("inputFile", b"x" * 150_000)[0]
    wrong: list[object] = []

    def ask() -> None:
        try:
            with trusting.wrap_socket(connect(), server_hostname="localhost") as client:
                for _ in range(5):
                    client.sendall(post(body))
                    if read(client)[2] != b"face:Ada":
                        wrong.append("answer")
        except OSError as error:
            wrong.append(error)

    with served(tier, tls=tls_context(str(cert), str(key))) as connect:
        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert wrong == []


def test_a_certificate_that_is_none(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    with pytest.raises(UsageError, match="no certificate"):
        tls_context(str(key), str(cert))
    with pytest.raises(UsageError, match="no certificate"):
        tls_context(str(tmp_path / "missing"), str(key))
