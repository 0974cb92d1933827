"""The report's sections on the photos: how many there are, which were excluded, how they were prepared."""

from collections import Counter, defaultdict
from typing import Any

from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_csv, read_json_lines
from anonderm.core.records import SPLITS
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import (
    Bar,
    Bars,
    Block,
    Picture,
    Row,
    Section,
    Table,
    compact,
    face_pictures,
    picture_file,
    sheet,
)
from anonderm.publish.charts import Chart
from anonderm.publish.pipeline import INTAKE, Pipeline, faces_of

_EXAMPLES = 12
_SHEETS = {
    "ingest": {"people.png": "Photos grouped as the same person"},
    "align": {"aligned.png": "Faces with their landmarks, and photos that could not be aligned"},
    "restore": {
        "lesions.png": "The lesions that faded most, before and after",
        "examples.png": "Enlarged faces: interpolated (above) and restored (below)",
    },
    "skin": {"overlay.png": "Skin masks", "tone.png": "Skin tones by class"},
}


def photos(pipeline: Pipeline) -> Section | None:
    faces = pipeline.photos
    if faces is None:
        return None
    columns = (
        "Class",
        "Photos",
        "People",
        *(split.capitalize() for split in SPLITS),
        "Lesions per photo",
        "Lesions unknown",
    )
    boxes = any(face.lesions is not None for face in faces)
    rows = tuple(_class_row(label, faces.where(label=label), boxes) for label in faces.labels)
    rows += (_class_row("all", faces, boxes),)
    table = compact(Table("Photos by class", columns, rows, frozenset(columns[1:])))
    drawn = tuple(chart for chart in (_tones(faces), _sizes(pipeline)) if chart)
    source = (
        "ingested from the user's data" if pipeline.private else "drawn as phantoms with known ground truth"
    )
    lead = f"The photos were {source}, and split by person into train, val and test."
    if faces.unidentified:
        lead = (
            f"The photos were {source}. People unknown: of {faces.unidentified:,} of {len(faces):,} photos "
            "nothing tells whether others show the same person, so the split into train, val and test is not "
            "known to be person-disjoint."
        )
    return Section("photos", "Photos", lead, (Row((table, *drawn)) if drawn else table,))


def _class_row(name: str, photos: FaceSet, boxes: bool) -> tuple[str, ...]:
    """boxes: whether the set has any, so that those that are unknown are worth telling."""
    splits = Counter(face.split for face in photos)
    counts = [len(face.lesions) for face in photos if face.lesions is not None]
    return (
        name,
        f"{len(photos):,}",
        f"{photos.people:,}",
        *(f"{splits[split]:,}" if splits[split] else "" for split in SPLITS),
        f"{sum(counts) / len(counts):.1f}" if counts else "",
        f"{len(photos) - len(counts):,}" if boxes and len(counts) < len(photos) else "",
    )


def _tones(photos: FaceSet) -> Chart | None:
    tones = {
        label or "all": [face.ita for face in photos.where(label=label) if face.ita is not None]
        for label in photos.labels or (None,)
    }
    return charts.histogram(
        "Skin tone by class",
        tones,
        "ITA in degrees: left darker, right lighter",
        bins=18,
        caption="If skin tone differs between classes, a classifier may use it in place of the lesions.",
    )


def _sizes(pipeline: Pipeline) -> Chart | None:
    """The shorter sides of the original photos."""
    path = pipeline.of(*INTAKE)[0].folder / "sources.csv"
    if not path.exists():
        return None
    sides = [min(float(row["width"]), float(row["height"])) for row in read_csv(path)]
    if len(set(sides)) < 2:
        return None
    return charts.histogram("Size of the photos", {"photos": sides}, "shorter side in pixels", bins=18)


def excluded(pipeline: Pipeline) -> Section | None:
    """Photos, and annotations of them, that ingest excluded."""
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in pipeline.of("ingest"):
        if (record.folder / "skipped.jsonl").exists():
            for row in read_json_lines(record.folder / "skipped.jsonl", ("kind", "picture")):
                by_kind[row["kind"]].append(row | {"folder": record.folder})
    if not by_kind:
        return None
    shown = pipeline.config.show_real
    most = max(map(len, by_kind.values()))
    bars = tuple(
        Bar(kind, f"{len(group):,}", len(group) / most, "", _skipped_pictures(group) if shown else ())
        for kind, group in sorted(by_kind.items(), key=lambda item: -len(item[1]))
    )
    lead = "Photos and annotations that were unusable or duplicates."
    caption = "skipped.jsonl in the run folder lists every file with the reason."
    return Section("excluded", "Excluded photos", lead, (Bars("", bars, caption),))


def _skipped_pictures(group: list[dict[str, Any]]) -> tuple[Picture, ...]:
    files = [row["folder"] / row["picture"] for row in group if row["picture"]]
    found = (picture_file(file, f"excluded photo, {group[0]['kind']}", 128) for file in files[:_EXAMPLES])
    return tuple(picture for picture in found if picture)


def preparation(pipeline: Pipeline) -> Section:
    """Alignment, enlargement and skin masks, with the picture sheets of these steps."""
    blocks: list[Block | None] = []
    for record in pipeline.of(*_SHEETS):
        if record.stage in _BARS and (faces := faces_of(record)):
            blocks.append(_BARS[record.stage](record, faces, pipeline))
        if pipeline.config.show_real:
            blocks += [
                sheet(record.folder / file, f"{record.name}: {title.lower()}", alt=title)
                for file, title in _SHEETS[record.stage].items()
            ]
    lead = (
        "From photos to faces of one framing and size. Inspect the sheets: the numbers alone hide failures."
    )
    return Section("preparation", "Preparation", lead, blocks)


def _framings(record: RunRecord, faces: FaceSet, pipeline: Pipeline) -> Bars:
    reasons: dict[str, set[str]] = defaultdict(set)
    for row in read_json_lines(record.folder / "unaligned.jsonl", ("reason", "photo")):
        reasons[row["reason"]].add(row["photo"])
    aligned, total = sum(face.framing == "ffhq" for face in faces), len(faces)
    bars = [Bar.of("aligned", aligned, total, "c1")]
    for reason, ids in reasons.items():
        some = faces.where(ids=ids) if pipeline.config.show_real else None
        pictures = face_pictures(some, _EXAMPLES, "photo not aligned", pipeline.rng()) if some else ()
        bars.append(Bar(reason, f"{len(ids):,}", len(ids) / total, "", pictures))
    return Bars(f"{record.name}: faces in FFHQ framing", tuple(bars), _FALLBACKS[record.config["fallback"]])


_FALLBACKS = {
    "center": "Photos that could not be aligned were cropped to their centre.",
    "keep": "Photos that could not be aligned were kept whole.",
    "skip": "Photos that could not be aligned were left out.",
}


def _restorers(record: RunRecord, faces: FaceSet, _pipeline: Pipeline) -> Bars:
    counts = Counter(face.restorer or "large enough" for face in faces)
    bars = tuple(Bar.of(name, count, len(faces), "c1") for name, count in counts.most_common())
    return Bars(f"{record.name}: faces by enlargement method", bars)


_BARS = {"align": _framings, "restore": _restorers}
