"""The pictures of every format: marked, without other metadata, and equally many in each format."""

import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from anonderm.core.decode import decode_image
from anonderm.core.errors import UnreadableImage
from anonderm.core.progress import bar
from anonderm.publish.release.marks import fault_of, is_signed
from anonderm.publish.release.rows import COLUMNS
from anonderm.publish.release.signing import can_read, fault_of_signature
from anonderm.publish.release.verify.checks import Check, Fault, regular_files
from anonderm.publish.release.verify.evidence import Evidence

FORMATS = ("train", "parquet", "webdataset", "stylegan")
_TAR_MEMBER = re.compile(r"\d{8}\.(png|cls|json)")
_ZIP_MEMBER = re.compile(r"dataset\.json|\d{5}/img\d{8}\.png")
_LARGEST = 256 << 20  # bytes of a member
_MAX_MEGAPIXELS = 64.0  # no release holds larger pictures


def check_pictures(release: Path, evidence: Evidence | Fault) -> list[Check]:
    """One check for each format present; `evidence`: as `read_evidence` returns it."""
    checks = [_check(release, name, evidence) for name in FORMATS if (release / name).is_dir()]
    return checks or [Check("pictures", 0, (Fault(".", "contains no pictures in a known format"),))]


def _check(release: Path, name: str, evidence: Evidence | Fault) -> Check:
    faults: list[Fault] = []
    stated = evidence if isinstance(evidence, Evidence) else None
    count, must_sign = 0, stated is not None and stated.signed
    readable = can_read()
    expected = stated.faces if stated else None
    with bar(f"checking pictures ({name})", expected) as shown:
        try:
            for where, png in _pictures(release, name):
                count += 1
                shown.advance(1)
                if what := _fault(png, must_sign, readable):
                    faults.append(Fault(where, what))
        except _Unreadable as error:
            faults.append(Fault(*error.args))
    if stated and count != expected:
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
    for path in regular_files(release / name):
        where = path.relative_to(release).as_posix()
        read = _ARCHIVES.get(path.suffix)
        if path.suffix == ".png":
            yield where, path.read_bytes()
        if read is None:
            continue
        try:
            for member, data in read(path):
                yield f"{where}!{member}", data
        except _Unreadable as error:
            raise _Unreadable(where, str(error)) from error
        except Exception as error:  # of any kind, for an archive that somebody else wrote
            raise _Unreadable(where, f"cannot be read ({type(error).__name__}: {error})") from error


def _in_parquet(path: Path) -> Iterator[tuple[str, bytes]]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        others = [field for field in file.schema_arrow if field.name != "image"]
        if any(field.name not in COLUMNS or not _is_plain(pa, field.type) for field in others):
            raise _Unreadable("has columns that no release has")
        for batch in file.iter_batches(64, columns=["image"]):
            for row, image in enumerate(batch.column("image").to_pylist()):
                if not isinstance(image, dict) or not isinstance(image.get("bytes"), bytes):
                    raise _Unreadable(f"has no picture in row {row}")
                yield str(image.get("path")), image["bytes"]


def _is_plain(pa: Any, kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_string(kind))


def _in_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        if archive.pax_headers:
            raise _Unreadable("has a comment")
        for member in archive:
            if not member.isreg() or not _TAR_MEMBER.fullmatch(member.name) or member.pax_headers:
                raise _Unreadable(f"has the member {member.name[:80]!r}, which no release has")
            if member.size > _LARGEST:
                raise _Unreadable(f"has a member of {member.size >> 20} MB, {member.name[:80]!r}")
            file = archive.extractfile(member) if member.name.endswith(".png") else None
            if file is not None:
                yield member.name, file.read()


def _in_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        if archive.comment:
            raise _Unreadable("has a comment")
        for member in archive.infolist():
            if not _ZIP_MEMBER.fullmatch(member.filename) or member.extra or member.comment:
                raise _Unreadable(f"has the member {member.filename[:80]!r}, which no release has")
            if member.file_size > _LARGEST:
                raise _Unreadable(f"has a member of {member.file_size >> 20} MB, {member.filename[:80]!r}")
            if member.filename.endswith(".png"):
                yield member.filename, archive.read(member)


_ARCHIVES: dict[str, Callable[[Path], Iterator[tuple[str, bytes]]]] = {
    ".parquet": _in_parquet,
    ".tar": _in_tar,
    ".zip": _in_zip,
}
