"""Downloads against a server on loopback: whole, wrong, cut off, missing, too long, nobody there."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from visage.core.cards import DetectorCard, WeightFile
from visage.core.errors import FetchError, ModelError, StorageError
from visage.nets.fetch import fetch

CONTENT = b"weights" * 5000
SHA = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = b"other weights" if self.path == "/wrong" else CONTENT * (3 if self.path == "/long" else 1)
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path == "/cut" else content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def card(*urls: str) -> DetectorCard:
    file = WeightFile("net.onnx", SHA, urls=urls, bytes=len(CONTENT))
    return DetectorCard("net", "detector", "yunet", "a net", "nowhere", "MIT", (file,))


def test_a_good_file_is_kept_and_not_fetched_again(server: str, tmp_path: Path) -> None:
    seen: list[int] = []
    (path,) = fetch(card(f"{server}/good"), tmp_path, lambda name, done, total: seen.append(done))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == len(CONTENT)
    assert fetch(card("http://127.0.0.1:1/gone"), tmp_path) == [path]


@pytest.mark.parametrize(
    ("place", "said"), [("wrong", "sha256"), ("cut", "cut off"), ("missing", "404"), ("long", "more than")]
)
def test_a_bad_file_is_refused_and_leaves_nothing(place: str, said: str, server: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=said) as caught:
        fetch(card(f"{server}/{place}"), tmp_path)
    assert SHA in str(caught.value)  # what to do by hand
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_next_address_is_tried(server: str, tmp_path: Path) -> None:
    assert fetch(card(f"{server}/missing", f"{server}/good"), tmp_path)[0].is_file()


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"could not fetch net\.onnx .*Without a network"):
        fetch(card("http://127.0.0.1:1/net.onnx"), tmp_path)


def test_other_addresses_are_not_opened(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="not an http address"):
        fetch(card((tmp_path / "x").as_uri()), tmp_path)


def test_what_comes_with_a_package_is_not_fetched(tmp_path: Path) -> None:
    packaged = DetectorCard("net", "detector", "mtcnn", "", "", "", (WeightFile("a", SHA, package="mtcnn"),))
    with pytest.raises(ModelError, match="package"):
        fetch(packaged, tmp_path)


def test_a_folder_that_cannot_be_made_is_a_storage_error(server: str, tmp_path: Path) -> None:
    (tmp_path / "net").write_text("in the way")
    with pytest.raises(StorageError):
        fetch(card(f"{server}/good"), tmp_path)
