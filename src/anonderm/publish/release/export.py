"""export: synthetic faces -> a release that common tools can load, if its audit allows one.

release/
  train/ parquet/ webdataset/ stylegan/ coco/    the faces, in the chosen formats; every picture marked
  README.md, LICENSE                the data set card, and the licence
  croissant.json                    the same for machines, with responsible-AI fields
  evidence.html, evidence.json      what the privacy audit found, and the decision
  checksums.sha256                  written last: with it, a release is complete (`anonderm verify`)

Only pixels, labels and how each face was generated are written: no person, parent, source or file name. The
faces have neutral names in it; names.csv, beside it, says which face each one is.
"""

import dataclasses
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_file, storage_errors, write_csv, write_json, write_text
from anonderm.core.results.audit import AuditResult
from anonderm.core.results.base import Result
from anonderm.core.rundir import RunDir
from anonderm.publish.release.card import card
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.croissant import croissant
from anonderm.publish.release.evidence import evidence_json, evidence_page
from anonderm.publish.release.gate import Decision, decide, refuse_real
from anonderm.publish.release.imagefolder import refuse_without_boxes, write_coco, write_imagefolder
from anonderm.publish.release.lineage import Ancestor, ancestors
from anonderm.publish.release.parquet import write_parquet
from anonderm.publish.release.pictures import Pictures
from anonderm.publish.release.rows import renamed
from anonderm.publish.release.signing import Signer
from anonderm.publish.release.stylegan import write_stylegan_zip
from anonderm.publish.release.webdataset import write_webdataset

CHECKSUMS = "checksums.sha256"
_NO_LICENCE = "No licence was stated for the photos: all rights reserved."
_REMOVED = "(a path)"
# An absolute path with at least two parts; `singling_out[dlib]/FMR 1%` and `and/or` are none.
_PATH = re.compile(r"(?<![\w\])~.])(?:[A-Za-z]:)?[\\/](?:[\w.~@+-]+[\\/])+[\w.~@+-]*")
_HOME = re.compile(r"(?<!\w)~(?:[\\/][\w.@+-]+)+")


def export(
    config: ExportConfig,
    faces: FaceSet,
    audit: Result | None,
    scores: tuple[Result, ...],
    source_models: tuple[Checkpoint, ...],
    run: RunDir,
) -> Path:
    """Write the release below run.folder/"release"; returns its list of checksums.

    An export that was cut short keeps the files that it has. Raises InputError for a face that is not purely
    synthetic or an `audit` that is no audit, TooFewImages for an empty set, ReleaseRefused if the audit does
    not allow it, BrokenArtefact if an image is not the one that was audited, StorageError.
    """
    refuse_real(faces)
    behind = ancestors(faces, source_models)
    if "coco" in config.formats:
        refuse_without_boxes(faces)
    audit = without_paths(_audit(audit)) if audit else None
    scores = tuple(without_paths(each) for each in scores)
    decision = decide(config, faces, audit)
    _log_override(decision, run)
    certificate, key = config.c2pa_certificate, config.c2pa_key
    signer = Signer(certificate, key) if certificate and key else None
    pictures = Pictures(renamed(faces), run.folder / "pictures", signer)
    release = run.folder / "release"
    _write_formats(config, pictures, release, run)
    _write_names(faces, pictures.faces, run)
    _write_papers(config, faces, audit, scores, behind, decision, release)
    write_text(release / CHECKSUMS, _checksums(release))
    shutil.rmtree(pictures.folder, ignore_errors=True)
    run.log(f"{len(faces)} synthetic faces in {len(faces.labels)} classes: {release}")
    return release / CHECKSUMS


def _audit(result: Result) -> AuditResult:
    if isinstance(result, AuditResult):
        return result
    raise InputError(
        f"--audit: a result of {result.kind!r} is not an audit.",
        "Give the run folder of `anonderm audit`, or the folder `after` of `anonderm audit-screen`.",
    )


def without_paths(value: Any) -> Any:
    """The same result without the paths in its texts, which can name people and places."""
    if isinstance(value, str):
        return _without_paths(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: without_paths(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **fields)
    if isinstance(value, dict):
        return {key: without_paths(each) for key, each in value.items()}
    return type(value)(without_paths(each) for each in value) if isinstance(value, list | tuple) else value


def _without_paths(text: str) -> str:
    home = str(Path.home())
    known = text.replace(home, "~") if len(home) > 1 else text
    return _HOME.sub(_REMOVED, _PATH.sub(_REMOVED, known))


def _log_override(decision: Decision, run: RunDir) -> None:
    if decision.override:
        run.log(f"the audit was overridden by {decision.override.name}: {decision.override.reason}")
        for fault in decision.faults:
            run.log(f"finding of the audit: {fault}")


def _write_formats(config: ExportConfig, pictures: Pictures, release: Path, run: RunDir) -> None:
    writers: dict[str, Callable[[], Iterator[int]]] = {
        "imagefolder": lambda: write_imagefolder(pictures, release),
        "parquet": lambda: write_parquet(pictures, release / "parquet", config.shard_mb),
        "webdataset": lambda: write_webdataset(pictures, release / "webdataset", config.shard_mb),
        "stylegan": lambda: write_stylegan_zip(pictures, release / "stylegan" / "dataset.zip"),
    }
    for name, write in writers.items():
        if name in config.formats:
            with run.bar(f"exporting faces ({name})", len(pictures.faces)) as bar:
                for count in write():
                    bar.advance(count)
    if "coco" in config.formats:
        write_coco(pictures.faces, release)


def _write_names(faces: FaceSet, released: FaceSet, run: RunDir) -> None:
    """names.csv, outside the release: which face has which name in it, in case one must be withdrawn."""
    pairs = zip(faces, released, strict=True)
    rows = [{"name": new.id, "id": old.id, "label": old.label, "file": old.file} for old, new in pairs]
    write_csv(run.folder / "names.csv", ("name", "id", "label", "file"), rows)


def _write_papers(
    config: ExportConfig,
    faces: FaceSet,
    audit: AuditResult | None,
    scores: tuple[Result, ...],
    behind: tuple[Ancestor, ...],
    decision: Decision,
    release: Path,
) -> None:
    licence = config.licence or faces.licence or _NO_LICENCE
    signed = config.c2pa_certificate is not None
    write_text(release / "LICENSE", f"{config.title}\n\n{licence}\n")
    write_text(release / "README.md", card(config, faces, audit, scores, licence, behind, decision))
    write_json(release / "croissant.json", croissant(config, faces, licence, behind, decision, release))
    write_text(release / "evidence.html", evidence_page(config, decision, audit, faces, signed))
    write_json(release / "evidence.json", evidence_json(decision, audit, faces, signed))


def _checksums(release: Path) -> str:
    with storage_errors(release):
        files = sorted(p for p in release.rglob("*") if p.is_file() and p.name != CHECKSUMS)
    return "".join(f"{sha256_file(path)}  {path.relative_to(release).as_posix()}\n" for path in files)
