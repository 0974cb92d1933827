"""Reading and writing files; a kill, a crash or a full disk never leaves a partial file."""

import csv
import errno
import hashlib
import io
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from anonderm.core.errors import BrokenArtefact, MissingPath, StorageError


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn errors of a full or read-only disk, or of a file in place of a folder, into StorageError."""
    try:
        yield
    except OSError as error:
        match error.errno:
            case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
                problem = "the disk is full"
                hint = "Free some space, then run the same command again to continue where it stopped."
            case errno.EROFS | errno.EACCES | errno.EPERM:
                problem, hint = "no permission to write here", "Choose another folder with --out."
            case errno.EEXIST | errno.ENOTDIR:
                problem = f"{error.filename} is a file, and a folder is needed there"
                hint = "Choose another --out."
            case _:
                raise
        raise StorageError(f"{path}: {problem}.", hint) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which replaces `path` on success and is removed on failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part{path.suffix}")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files of `atomic_path` that a killed process left in this folder, at any depth."""
    for path in folder.rglob(".*.part*"):
        path.unlink(missing_ok=True)


def read_bytes(path: Path) -> bytes:
    """The content of a regular file. Raises OSError, also for a pipe or device, which might never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.read_bytes()


def write_bytes(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """`read_csv` gives back the same rows; a spreadsheet takes no cell for a formula."""
    lines = []
    for row in (dict(zip(columns, columns, strict=True)), *rows):
        line = io.StringIO()
        writer = csv.DictWriter(line, columns, lineterminator="\r\n")  # so that \r is quoted
        writer.writerow({name: _without_formula(value) for name, value in row.items()})
        lines.append(line.getvalue().removesuffix("\r\n"))
    return "".join(f"{line}\n" for line in lines)


# What spreadsheets compute or run, also in wide characters; and what `csv_text` writes in its place.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def _without_formula(value: object) -> object:
    """Text that would be a formula, after an apostrophe, as OWASP advises (CSV injection)."""
    harmless = not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value)
    return value if harmless else f"'{value}"


def without_apostrophe(value: str) -> str:
    """The text of a cell that `csv_text` wrote."""
    return value[1:] if value.startswith("'") and _FORMULA.match(value) else value


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    write_text(path, csv_text(columns, rows))


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file in UTF-8, as `csv_text` got them. Raises OSError, ValueError or csv.Error."""
    reader = csv.DictReader(io.StringIO(read_bytes(path).decode("utf-8-sig"), newline=""))
    return [
        {name: without_apostrophe(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in reader
    ]


def write_json_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def append_line(path: Path, line: str) -> None:
    """Append one line, after dropping an incomplete line that a kill or a full disk left at the end."""
    with storage_errors(path), path.open("a+b") as file:
        _drop_incomplete_line(file)
        file.write(line.encode("utf-8") + b"\n")


def _drop_incomplete_line(file: BinaryIO) -> None:
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 1))
    if file.read(1) not in (b"", b"\n"):
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def read_json_lines(path: Path, keys: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The rows, without an incomplete last line (its writer was killed).

    Raises BrokenArtefact, naming the line, also if a row lacks one of `keys`.
    """
    if not path.exists():
        return []
    try:
        *whole, _incomplete = read_bytes(path).split(b"\n")
    except OSError as error:
        raise BrokenArtefact(f"{path}: cannot be read ({error.strerror}).", _DELETE) from error
    numbered = ((number, line) for number, line in enumerate(whole, 1) if line.strip())
    return [_json_row(line, f"{path}: line {number}", keys) for number, line in numbered]


def _json_row(line: bytes, where: str, keys: Sequence[str]) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except RecursionError as error:
        raise BrokenArtefact(f"{where} is nested too deeply.", _DELETE) from error
    except ValueError as error:
        raise BrokenArtefact(f"{where} is not valid JSON ({error}).", _DELETE) from error
    if not isinstance(row, dict):
        raise BrokenArtefact(f"{where} is not a JSON object.", _DELETE)
    if missing := [key for key in keys if key not in row]:
        raise BrokenArtefact(f"{where} has no {missing[0]!r}.", _DELETE)
    return row


_DELETE = "Restore the file; or delete the run folder and run its command again."


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Create `target` as a hard link to `source`, or a copy where there are none. Raises MissingPath."""
    if target.exists():
        return
    with atomic_path(target) as temporary:
        try:
            os.link(source, temporary)
        except FileNotFoundError as error:
            raise MissingPath(
                f"{source}: no such file.", "It was there before: restore it, or run the same command again."
            ) from error
        except OSError:
            temporary.write_bytes(source.read_bytes())
