"""The pictures of every format: marked, without other metadata, and equally many in each format."""

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anonderm.core.decode import decode_image
from anonderm.core.errors import UnreadableImage
from anonderm.core.progress import bar
from anonderm.publish.release.marks import fault_of, is_signed
from anonderm.publish.release.signing import can_read, fault_of_signature
from anonderm.publish.release.verify.checks import Check, Fault

FORMATS = ("train", "parquet", "webdataset", "stylegan")
_MAX_MEGAPIXELS = 64.0  # no release holds larger pictures


def check_pictures(release: Path, evidence: dict[str, Any]) -> list[Check]:
    """One check for each format present; `evidence`: the content of evidence.json."""
    checks = [_check(release, name, evidence) for name in FORMATS if (release / name).is_dir()]
    return checks or [Check("pictures", 0, (Fault(".", "contains no pictures in a known format"),))]


def _check(release: Path, name: str, evidence: dict[str, Any]) -> Check:
    faults: list[Fault] = []
    count, must_sign = 0, evidence.get("signed") is True
    readable = can_read()
    expected = evidence.get("faces")
    with bar(f"checking pictures ({name})", expected if isinstance(expected, int) else None) as shown:
        try:
            for where, png in _pictures(release, name):
                count += 1
                shown.advance(1)
                if what := _fault(png, must_sign, readable):
                    faults.append(Fault(where, what))
        except _Unreadable as error:
            faults.append(Fault(*error.args))
    if count != expected:
        faults.append(Fault(f"{name}/", f"contains {count} pictures; evidence.json states {expected}"))
    note = "signatures were not checked: pip install 'anonderm[c2pa]'" if must_sign and not readable else ""
    return Check(f"pictures in {name}/", count, tuple(faults), note)


def _fault(png: bytes, must_sign: bool, readable: bool) -> str:
    if what := fault_of(png):
        return what
    try:
        decode_image(png, "", _MAX_MEGAPIXELS)
    except UnreadableImage as error:
        return f"cannot be read ({error.message.removeprefix(': ')})"
    if not is_signed(png):
        return "is not signed, although the release states that it is" if must_sign else ""
    return fault_of_signature(png) if readable else ""


class _Unreadable(Exception):
    """An archive that cannot be read completely; the arguments are those of a Fault."""


def _pictures(release: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """The location and bytes of every picture of a format, one at a time."""
    for path in sorted((release / name).rglob("*")):
        where = path.relative_to(release).as_posix()
        if path.is_symlink() or not path.is_file():
            continue
        match path.suffix:
            case ".png":
                yield where, path.read_bytes()
            case ".parquet":
                yield from _in_parquet(path, where)
            case ".tar":
                yield from _in_tar(path, where)
            case ".zip":
                yield from _in_zip(path, where)


def _in_parquet(path: Path, where: str) -> Iterator[tuple[str, bytes]]:
    import pyarrow.lib
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(64, columns=["image"]):
                for image in batch.column("image").to_pylist():
                    yield f"{where}!{image['path']}", image["bytes"]
    except (pyarrow.lib.ArrowException, OSError, KeyError, TypeError) as error:
        raise _Unreadable(where, f"cannot be read as Parquet ({error})") from error


def _in_tar(path: Path, where: str) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name.endswith(".png") else None
                if file is not None:
                    yield f"{where}!{member.name}", file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _Unreadable(where, f"cannot be read as tar ({error})") from error


def _in_zip(path: Path, where: str) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".png"):
                    yield f"{where}!{name}", archive.read(name)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise _Unreadable(where, f"cannot be read as ZIP ({error})") from error
