"""ingest: the photos of a data set -> FaceSet.

faces/          the FaceSet
sources.csv     id, person, size and file of every face; the FaceSet holds no file names: they may name people
credits.csv     whom the licence asks to name for which face, where the source says so
skipped.jsonl   what was left out, photos and boxes, each with the reason
skipped/        small pictures of some of these photos
bridges.jsonl   people whose photos lie in several splits of the source
people.png      how far faces lie apart, with the threshold, and the doubtful pairs (`people = faces`)

.checked.jsonl and .people.jsonl note what was read already. Being hidden, they do not count as a result:
after an error the same run folder may be used with other settings.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from anonderm.core.errors import ConfigChanged, ConfigError, EmptyFolder, InputError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.files import write_text
from anonderm.core.names import slugs
from anonderm.core.records import SPLITS, order_labels
from anonderm.core.rundir import RunDir
from anonderm.core.splits import assign_splits
from anonderm.ingest.boxes import settled
from anonderm.ingest.checks import Check, check_photos, drop_duplicates, keep_first, shortened, unusable
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.near import copies
from anonderm.ingest.people.persons import find_people, known_people
from anonderm.ingest.skipped import write_left_out
from anonderm.ingest.sources.layouts import find_photos
from anonderm.ingest.sources.photo import Found, Skipped
from anonderm.ingest.write_faces import Source, store_faces

_UNLABELLED = "(no label)"  # no class can have this name


def ingest(config: IngestConfig, run: RunDir) -> FaceSet:
    """Check every photo, split by person, then store each in `faces/`: a square PNG, or the photo as it is.

    Raises MissingPath, EmptyFolder, BadLabel, UnreadableImage (all bad photos at once), InputError (no layout
    fits, a path without a person, a photo without a given split), TooFewImages (a class with nobody to train
    on or to test), ConfigError (run folder among the photos) or ConfigChanged (photos are not those that an
    interrupted run began with).
    """
    if run.folder.resolve().is_relative_to(config.source.resolve()):
        hint = "Delete it, and choose another --out."
        raise ConfigError(f"{run.folder}: lies inside the photo folder.", hint)
    layout, found = find_photos(config)
    _say_what_was_found(layout, found, run)
    known = known_people(found.photos, config)
    checks, skipped = _usable(found, config, run)
    people = find_people([check.photo for check in checks], known, config, run)
    sources = _sources(checks, people.on)
    splits = _splits(sources, config)
    _pin_sources(sources, config, run)
    write_left_out(skipped, found.photos, run)
    people.report(config.splits, run)
    faces = store_faces(sources, splits, layout, config, run)
    _say_what_was_stored(faces, run)
    return faces


def _say_what_was_found(layout: str, found: Found, run: RunDir) -> None:
    labels = order_labels(photo.label for photo in found.photos if photo.label is not None)
    classes = f" in {len(labels)} classes: {', '.join(labels)}" if labels else ""
    run.log(f"{len(found.photos)} photos{classes} (layout {layout})")
    if unlabelled := sum(photo.label is None for photo in found.photos):
        run.log(f"{unlabelled} photos have no label; --label gives one to every photo")
    if found.ignored:
        counts = ", ".join(f"{suffix or 'no suffix'} {n}" for suffix, n in sorted(found.ignored.items()))
        run.log(f"ignored {found.ignored.total()} files outside the classes or not images: {counts}")
    if found.skipped:
        lines = [f"{item.file}: {item.reason}" for item in found.skipped]
        run.log(f"warning: {len(lines)} faults of the source, see skipped.jsonl:{shortened(lines)}")
    if len(labels) == 1:
        run.log("warning: one class only; a generator can be trained on it, a classifier cannot")


def _usable(found: Found, config: IngestConfig, run: RunDir) -> tuple[list[Check], list[Skipped]]:
    """The photos that can be read, each picture once, with boxes in pixels; and everything left out."""
    with run.bar("checking photos", len(found.photos)) as bar:
        checks = []
        for check in check_photos(found.photos, config.min_side, run.folder / ".checked.jsonl"):
            checks.append(check)
            bar.advance()
    problems = [
        Skipped(check.photo.name, check.problem, "too small" if check.width else "unreadable")
        for check in checks
        if check.problem
    ]
    if problems and not config.skip_unreadable:
        raise unusable(problems, len(checks))
    kept, duplicates = drop_duplicates([check for check in checks if not check.problem], config.on_conflict)
    near: list[Skipped] = []
    if config.near_duplicates == "drop":
        kept, near = _without_copies(kept, config, run)
    labels = {check.photo.label for check in kept}
    for label in order_labels({photo.label for photo in found.photos if photo.label} - labels):
        raise EmptyFolder(f"{config.source}: no usable photo of class {label}.", "Fill or remove its folder.")
    if problems or duplicates or near:
        counts = f"{len(problems)} unusable, {len(duplicates)} duplicate and {len(near)} near-duplicate"
        run.log(f"left out {counts} photos, see skipped.jsonl")
    if not config.whole and (small := sum(min(each.width, each.height) < config.size for each in kept)):
        run.log(f"warning: {small} photos are smaller than {config.size} pixels and are enlarged")
    kept, lost = settled(kept)
    if lost:
        run.log(f"warning: {len(lost)} boxes lie outside their photo, see skipped.jsonl")
    return kept, [*found.skipped, *problems, *duplicates, *near, *lost]


def _without_copies(
    checks: Sequence[Check], config: IngestConfig, run: RunDir
) -> tuple[list[Check], list[Skipped]]:
    """The largest of resized, recompressed, cropped and mirrored copies, in the order of `checks`."""
    with run.bar("looking for copies", len(checks)) as bar:
        groups = copies(checks, bar)
    across = [group for group in groups if len({check.photo.split for check in group}) > 1]
    if across:
        run.log(f"warning: {len(across)} pictures lie in several splits of the source; one of each is kept")
    copied = {check.photo.name for group in groups for check in group}
    kept, skipped = keep_first(
        groups, "a copy (resized, cropped or mirrored) of", "near duplicate", config.on_conflict
    )
    names = {check.photo.name for check in kept}
    return [each for each in checks if each.photo.name not in copied or each.photo.name in names], skipped


def _sources(checks: Sequence[Check], persons: Mapping[str, str]) -> list[Source]:
    stems = slugs(check.photo.label or "photo" for check in checks)
    shown = sorted({persons[check.photo.name] for check in checks})
    pseudonyms = {person: f"person-{index:05d}" for index, person in enumerate(shown)}
    seen: Counter[str] = Counter()
    sources = []
    for check in checks:
        stem, person = stems[check.photo.label or "photo"], persons[check.photo.name]
        id = f"{stem}-{seen[stem]:05d}"
        seen[stem] += 1
        sources.append(Source(id, pseudonyms[person], person, check))
    return sources


def _pin_sources(sources: Sequence[Source], config: IngestConfig, run: RunDir) -> None:
    """Write sources.csv; a resumed run must find the same photos, or ids would change their meaning."""
    rows = [
        (source.id, source.subject, source.person, source.check.width, source.check.height, source.photo.name)
        for source in sources
    ]
    table = _csv(("id", "subject", "person", "width", "height", "file"), rows)
    path = run.folder / "sources.csv"
    if path.exists() and path.read_text(encoding="utf-8") != table:
        raise ConfigChanged(
            f"{config.source}: its photos are no longer those that this run began with ({path}).",
            f"Delete {run.folder} and run the same command again, or choose another --out.",
        )
    write_text(path, table)
    credits = [
        (source.id, source.photo.credit, source.photo.licence) for source in sources if source.photo.credit
    ]
    if credits:
        write_text(run.folder / "credits.csv", _csv(("id", "credit", "licence"), credits))


def _csv(header: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return table.getvalue()


def _splits(sources: Sequence[Source], config: IngestConfig) -> dict[str, str]:
    """The split of each face; every class is in train, and in test where there is one.

    Raises TooFewImages: later stages would refuse such a FaceSet, but after hours of training.
    """
    given = config.splits == "given"
    splits = (
        _given(sources, config) if given else _drawn(sources, config.val_share, config.test_share, config)
    )
    labels = [source.photo.label or _UNLABELLED for source in sources]
    for split in ("train", "test") if config.test_share and not given else ("train",):
        there = {label for source, label in zip(sources, labels, strict=True) if splits[source.id] == split}
        missing = [label for label in order_labels(labels) if label not in there]
        if missing:
            raise TooFewImages(
                f"{config.source}: nobody of class {', '.join(missing)} is left for split {split}.",
                "Add photos of other people of this class, or take test_share = 0 to do without a test.",
            )
    return splits


def _drawn(sources: Sequence[Source], val: float, test: float, config: IngestConfig) -> dict[str, str]:
    """Splits by person, stratified by class."""
    subjects = [source.subject for source in sources]
    labels = [source.photo.label or _UNLABELLED for source in sources]
    by_person = assign_splits(subjects, labels, val, test, np.random.default_rng(config.seed))
    return {source.id: by_person[source.subject] for source in sources}


def _given(sources: Sequence[Source], config: IngestConfig) -> dict[str, str]:
    """The source's own splits; validation faces are drawn from its train people where it has none."""
    missing = [source.photo.name for source in sources if source.photo.split is None]
    if missing:
        raise InputError(
            f"{config.source}: {len(missing)} photos have no split of their own:{shortened(missing)}",
            "Take --splits person.",
        )
    splits = {source.id: str(source.photo.split) for source in sources}
    if "val" in splits.values() or not config.val_share:
        return splits
    train = [source for source in sources if splits[source.id] == "train"]
    return splits | _drawn(train, config.val_share, 0.0, config)


def _say_what_was_stored(faces: FaceSet, run: RunDir) -> None:
    for label in faces.labels or (None,):
        rows = faces.where(label=label)
        counts = Counter(face.split for face in rows)
        shown = ", ".join(f"{split} {counts[split]}" for split in SPLITS)
        run.log(f"{label or 'in all'}: {len(rows)} photos of {rows.people} people ({shown})")
