"""croissant.json: the release as machines find it (Croissant 1.1, MLCommons), with its responsible-AI fields.

Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html, croissant-rai-spec.html
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anonderm import __version__
from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_file
from anonderm.core.records import TONES, tone_of
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.gate import Decision
from anonderm.publish.release.lineage import Ancestor
from anonderm.publish.release.rows import COLUMNS, columns_of

CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]

# Words of the specification that mean what they are called.
# fmt: off
_SAME = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field",
    "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset",
    "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated",
    "replace", "samplingRate", "separator", "source", "subField", "transform",
)
# fmt: on
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{name: f"cr:{name}" for name in _SAME},
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
}
# Shards and archives by their folder; the pictures themselves are a set of files.
_ENCODINGS = {
    "parquet/*.parquet": "application/x-parquet",
    "webdataset/*.tar": "application/x-tar",
    "stylegan/*.zip": "application/zip",
    "coco/*.json": "application/json",
}


def croissant(
    config: ExportConfig,
    faces: FaceSet,
    licence: str,
    behind: Sequence[Ancestor],
    decision: Decision,
    release: Path,
) -> dict[str, Any]:
    """JSON-LD about the files that lie in `release`."""
    files = _files(release)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": config.title,
        "description": config.description,
        "conformsTo": CONFORMS_TO,
        "license": licence,
        "version": config.version,
        "citeAs": _citation(config),
        "keywords": ["synthetic", "dermatology", "face", *faces.labels],
        **({"creator": {"@type": "sc:Organization", "name": config.creator}} if config.creator else {}),
        **({"datePublished": config.published} if config.published else {}),
        **_responsible(faces, behind, decision),
        "distribution": files,
        "recordSet": [_records(faces, files)] if _table_of(files) else [],
    }


def _citation(config: ExportConfig) -> str:
    parts = (config.creator, config.title, f"version {config.version}", config.published)
    return f"{', '.join(part for part in parts if part)}. Made with anonderm {__version__}."


def _files(release: Path) -> list[dict[str, Any]]:
    found = []
    if (release / "train").is_dir():
        found.append(_file(release, release / "train" / "metadata.csv", "text/csv"))
        pictures = {"name": "pictures", "encodingFormat": "image/png", "includes": "train/**/*.png"}
        found.append({"@type": "cr:FileSet", "@id": "pictures", **pictures})
    for pattern, encoding in _ENCODINGS.items():
        found += [_file(release, path, encoding) for path in sorted(release.glob(pattern))]
    return found


def _file(release: Path, path: Path, encoding: str) -> dict[str, Any]:
    name = path.relative_to(release).as_posix()
    where = {"contentUrl": name, "encodingFormat": encoding, "contentSize": f"{path.stat().st_size} B"}
    return {"@type": "cr:FileObject", "@id": name, "name": name, **where, "sha256": sha256_file(path)}


def _table_of(files: list[dict[str, Any]]) -> str:
    """The file that holds the rows: the table beside the pictures, else the first Parquet shard."""
    names = [each["@id"] for each in files]
    tables = [name for name in names if name.endswith(("metadata.csv", ".parquet"))]
    return tables[0] if tables else ""


def _records(faces: FaceSet, files: list[dict[str, Any]]) -> dict[str, Any]:
    table = _table_of(files)
    columns = {name: COLUMNS[name] for name in columns_of(faces)}
    if table.endswith(".csv"):
        columns = {"file_name": ("sc:Text", "the picture, from the folder train"), **columns}
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"faces/{name}",
            "name": name,
            "description": meaning,
            "dataType": kind,
            "source": {"fileObject": {"@id": table}, "extract": {"column": name}},
        }
        for name, (kind, meaning) in columns.items()
    ]
    about = {"name": "faces", "description": f"The faces that {table} lists.", "field": fields}
    return {"@type": "cr:RecordSet", "@id": "faces", **about}


def _responsible(faces: FaceSet, behind: Sequence[Ancestor], decision: Decision) -> dict[str, Any]:
    counts = ", ".join(f"{count} {label}" for label, count in faces.label_counts.items())
    return {
        "rai:dataCollection": "None of the pictures is a photo: they were drawn by generators "
        "trained on labelled photos of faces. No photo, and no part of one, is in the set.",
        "rai:dataCollectionType": ["Software Collection", "Others"],
        "rai:dataAnnotationProtocol": [
            "Labels are the class that the generator was conditioned on, or a classifier's prediction."
        ],
        "rai:machineAnnotationTools": [f"{each.role}, sha256 {each.digest}" for each in behind],
        "rai:dataUseCases": [
            "Training and comparing methods for faces with skin conditions.",
            "Not for diagnosis, for estimating prevalence, or for identifying people.",
        ],
        "rai:dataLimitations": [
            "An audit can find copies of training photos; it cannot prove that there are none.",
            "The labels were not reviewed by a doctor. Test on real photos.",
        ],
        "rai:dataBiases": [f"Classes: {counts}.", _tones(faces), "Biases of the training photos remain."],
        "rai:dataSocialImpact": "Allows methods to be developed without sharing patients' photos; methods "
        "trained on a set unbalanced in skin tone are biased too.",
        "rai:personalSensitiveInformation": [_privacy(decision)],
        "rai:dataReleaseMaintenancePlan": "A new version replaces this one if an error or a "
        "recognisable person is reported.",
    }


def _tones(faces: FaceSet) -> str:
    tones = [tone_of(face.ita) for face in faces]
    if all(tone is None for tone in tones):
        return "Skin tones were not measured."
    listed = ", ".join(f"{tones.count(tone)} {tone}" for tone in TONES)
    return f"Skin tones: {listed}, {tones.count(None)} not measured."


def _privacy(decision: Decision) -> str:
    opening = (
        "Generated from models trained on photos of people; the photos are not in the set. evidence.html "
        "reports what an audit tested. "
    )
    if decision.passed:
        return opening + "All its rules for releasing images hold."
    override = decision.override
    by = f" by {override.name}, {override.date}: {override.reason}" if override else ""
    return f"{opening}The audit was overridden{by}. Findings of the audit: {'; '.join(decision.faults)}."
