"""Downloading third-party weights: the only module of the package that uses a network."""

import http.client
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from anonderm.core import progress
from anonderm.core.errors import BrokenArtefact, MissingWeights
from anonderm.core.files import sha256_file, storage_errors
from anonderm.core.weights import WeightsFile, how_to_get, locate, third_party_named

_TIMEOUT_S = 30.0
_CHUNK = 1 << 20
_TRANSFER_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    TimeoutError,
    ConnectionError,
)


def fetch(name: str) -> Path:
    """Download third-party weights into the user's folder of weights; files that are there are kept.

    An interrupted transfer resumes where it stopped if the server allows it. Returns the same path as
    `locate`. Raises MissingWeights (unknown name, only available by hand, no network) or BrokenArtefact (not
    the published file, which is then removed).
    """
    wanted = third_party_named(name)
    if not wanted.can_be_fetched and not wanted.is_present:
        raise MissingWeights(f"{name}: can only be downloaded by hand.", how_to_get(wanted))
    for each in wanted.files:
        target = wanted.folder / each.file
        if not target.is_file():
            try:
                _download(each, target)
            except _TRANSFER_ERRORS as error:
                reason = getattr(error, "reason", None) or str(error) or type(error).__name__
                raise MissingWeights(
                    f"{each.file}: download from {each.url} failed ({reason}).",
                    "Run the same command again to resume, or download the file on another machine and run "
                    f"`anonderm weights add {wanted.name} FILE`.",
                ) from error
    return locate(name)


def _download(each: WeightsFile, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _receive(str(each.url), part)
        digest = sha256_file(part)
        if each.sha256 not in (None, digest):
            part.unlink()
            raise BrokenArtefact(
                f"{each.url}: not the registered file (its sha256 is {digest}).",
                "Try again, or download it by hand and add it.",
            )
        part.replace(target)


def _receive(url: str, part: Path) -> None:
    """Download the rest of `part`, or all of it if the server cannot resume."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # complete, or the file has changed; the digest shows which
            return
        raise
    with answer:
        resumed = answer.status == 206
        length = answer.headers.get("Content-Length")
        start = have if resumed else 0
        total = start + int(length) if length else None
        with (
            part.open("ab" if resumed else "wb") as file,
            progress.bar("downloading (MB)", total and total / 1e6, start / 1e6) as bar,
        ):
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                bar.advance(len(chunk) / 1e6)
        if total is not None and part.stat().st_size != total:
            raise http.client.IncompleteRead(b"", total - part.stat().st_size)
