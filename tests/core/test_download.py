"""Fetching weights from a local server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anonderm.cli import main
from anonderm.core import weights
from anonderm.core.download import fetch
from anonderm.core.errors import BrokenArtefact, MissingWeights
from anonderm.core.weights import ThirdPartyWeights, WeightsFile

CONTENT = bytes(range(256)) * 20_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    content = CONTENT
    breaks_after: int | None = None  # bytes of an answer
    can_resume = True
    requested: list[str | None]

    def url(self, file: str = "net.pth") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{file}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requested.append(wanted)
        if self.path != "/net.pth":
            self.send_error(404)
            return
        start = (
            int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.can_resume else 0
        )
        if start >= len(self.server.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        body = self.server.content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.breaks_after])

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("ANONDERM_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("no_proxy", "*")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.requested = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def register(monkeypatch: pytest.MonkeyPatch, url: str | None, sha256: str | None = DIGEST) -> None:
    files = (WeightsFile("net.pth", sha256, url),)
    entry = ThirdPartyWeights("net", "a test", "CC0-1.0", "https://example.org", "pictures", files)
    monkeypatch.setattr(weights, "third_party", lambda: {"net": entry})


def test_weights_are_fetched_checked_and_then_kept(server: Server, monkeypatch, capsys) -> None:
    register(monkeypatch, server.url())
    assert main(["weights", "fetch", "net"]) == 0
    assert Path(capsys.readouterr().out.strip()).read_bytes() == CONTENT
    assert fetch("net") == weights.locate("net")
    assert server.requested == [None], "nothing is fetched the second time"


@pytest.mark.parametrize("can_resume", [True, False])
def test_an_interrupted_download_resumes_or_starts_over(
    server: Server, monkeypatch, can_resume: bool
) -> None:
    register(monkeypatch, server.url())
    server.breaks_after, server.can_resume = 1_000_000, can_resume
    with pytest.raises(MissingWeights, match="failed"):
        fetch("net")
    assert not weights.third_party()["net"].is_present
    server.breaks_after = None
    assert fetch("net").read_bytes() == CONTENT
    assert server.requested == [None, "bytes=1000000-"]


def test_a_complete_partial_file_is_not_downloaded_again(server: Server, monkeypatch) -> None:
    register(monkeypatch, server.url())
    part = weights.third_party()["net"].folder / ".net.pth.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert fetch("net").read_bytes() == CONTENT


def test_a_file_with_the_wrong_digest_is_removed(server: Server, monkeypatch) -> None:
    register(monkeypatch, server.url(), sha256="0" * 64)
    with pytest.raises(BrokenArtefact, match=DIGEST):
        fetch("net")
    assert not any(each.is_file() for each in weights.third_party()["net"].folder.iterdir())


def test_no_network_no_file_and_no_address_give_different_errors(server: Server, monkeypatch) -> None:
    register(monkeypatch, server.url("gone.pth"))
    with pytest.raises(MissingWeights, match="Not Found"):
        fetch("net")
    register(monkeypatch, "http://127.0.0.1:9/net.pth")
    with pytest.raises(MissingWeights, match=r"refused.*\n.*weights add net FILE"):
        fetch("net")
    register(monkeypatch, None)
    with pytest.raises(MissingWeights, match="only be downloaded by hand"):
        fetch("net")
