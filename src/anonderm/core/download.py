"""Fetching registered weights: the only place of the package that uses a network."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from anonderm.core import progress
from anonderm.core.errors import BrokenArtefact, MissingWeights
from anonderm.core.files import sha256_file, storage_errors
from anonderm.core.weights import OthersFile, OthersWeights, how_to_get, locate, others_named

_TIMEOUT_S = 30.0
_CHUNK = 1 << 20
_BROKEN_OFF = (
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    TimeoutError,
    ConnectionError,
)


def fetch(name: str) -> Path:
    """Download others' weights into the user's folder; what is there already is kept.

    A transfer that was cut short goes on where it stopped, if the server allows. Returns what `locate` does.
    Raises MissingWeights (unknown, not to be had without a person, no network) or BrokenArtefact (a file that
    is not the published one; it is removed).
    """
    wanted = others_named(name)
    if not wanted.can_be_fetched and not wanted.is_here:
        raise MissingWeights(f"{name}: no address is registered to fetch it from.", how_to_get(wanted))
    for each in wanted.files:
        target = wanted.folder / each.file
        if not target.is_file():
            try:
                _download(each, target)
            except _BROKEN_OFF as error:
                raise _not_fetched(wanted, each, error) from error
    return locate(name)


def _not_fetched(wanted: OthersWeights, each: OthersFile, error: Exception) -> MissingWeights:
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    add = f"`anonderm weights add {wanted.name} FILE`"
    hint = f"Run the same command again to go on; or get this file on another machine and {add}."
    return MissingWeights(f"{each.file}: could not be fetched from {each.url} ({reason}).", hint)


def _download(each: OthersFile, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _receive(str(each.url), part)
        digest = sha256_file(part)
        if each.sha256 not in (None, digest):
            part.unlink()
            raise BrokenArtefact(
                f"{each.url}: not the file that is registered (sha256 {digest}).",
                "Try again, or add it by hand.",
            )
        part.replace(target)


def _receive(url: str, part: Path) -> None:
    """Append what is missing of `part`, or start over where the server sends all of it."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is missing, or the file has changed: the digest tells
            return
        raise
    with answer:
        resumed = answer.status == 206
        length = answer.headers.get("Content-Length")
        start = have if resumed else 0
        total = start + int(length) if length else None
        with (
            part.open("ab" if resumed else "wb") as file,
            progress.bar("fetching (MB)", total and total / 1e6, start / 1e6) as bar,
        ):
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                bar.advance(len(chunk) / 1e6)
        if total is not None and part.stat().st_size != total:
            raise http.client.IncompleteRead(b"", total - part.stat().st_size)
