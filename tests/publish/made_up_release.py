"""Writing a release in a test, and looking into every file of one."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
from made_up_audit import audited

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.results.base import Result
from anonderm.core.rundir import RunDir
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.export import export

EVERY_FORMAT = ("imagefolder", "parquet", "webdataset", "stylegan", "coco")
FACES_PER_SHARD = 7  # of 32 px; 30 faces make five shards
SHARD_MB = FACES_PER_SHARD * 3 * 32 * 32 / 1e6


def write_release(
    folder: Path,
    faces: FaceSet,
    audit: Result | None = None,
    scores: tuple[Result, ...] = (),
    source_models: tuple[Checkpoint, ...] = (),
    **settings: Any,
) -> Path:
    """The folder of the release; an audit of the set that passed, unless another is given."""
    config = ExportConfig(**settings)
    with RunDir.open(folder, "export", config, {"faces": faces.digest}) as run:
        return export(config, faces, audit or audited(faces), scores, source_models, run).parent


def contents(release: Path) -> dict[str, bytes]:
    """Every file."""
    return {
        path.relative_to(release).as_posix(): path.read_bytes()
        for path in sorted(release.rglob("*"))
        if path.is_file()
    }


def unpacked(release: Path) -> dict[str, bytes]:
    """Every file, and everything inside tar, ZIP and Parquet files, uncompressed."""
    found = contents(release)
    for name, data in list(found.items()):
        for inner, content in _inside(name, data):
            found[f"{name}!{inner}"] = content
    return found


def _inside(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if name.endswith(".tar"):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                yield f"{member.name} of {member.uname}", file.read() if file else b""
    elif name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                yield info.filename, archive.read(info) + info.comment + info.extra
    elif name.endswith(".parquet"):
        table = parquet.read_table(io.BytesIO(data))
        yield "schema", repr(table.schema.metadata).encode()
        for number, row in enumerate(table.to_pylist()):
            image = row.pop("image")
            yield image["path"], image["bytes"]
            yield f"row {number}", repr(row).encode()
