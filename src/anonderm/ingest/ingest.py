"""ingest: the photos of a data set -> FaceSet.

faces/          the FaceSet, without file names, as these may identify people
sources.csv     id, person, size and file of every face
credits.csv     the attribution that the licence of each face requires, if the source states it
skipped.jsonl   what was left out, photos and boxes, each with the reason
skipped/        thumbnails of some of these photos
bridges.jsonl   people with photos in several splits of the source
people.png      distances between faces, the threshold, and the doubtful pairs (`people = faces`)
people.jsonl    pairs that scene, time or file name speak for, with the probability of each kind of evidence
detected.csv    what found the face on each photo

.checked.jsonl records the photos that were read. It is hidden so that, after an error, the same run folder
can be used with other settings.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from anonderm.core.errors import (
    ConfigChanged,
    ConfigError,
    EmptyFolder,
    InputError,
    TooFewImages,
    UnreadableImage,
)
from anonderm.core.faceset import FaceSet
from anonderm.core.files import csv_text, write_csv, write_text
from anonderm.core.names import slugs
from anonderm.core.records import SPLITS, order_labels
from anonderm.core.rundir import Memory, RunDir
from anonderm.core.splits import assign_splits
from anonderm.ingest.checks import (
    Check,
    boxes_in_pixels,
    check_photos,
    drop_duplicates,
    groups_of_near_duplicates,
    keep_first,
    shortened,
    write_skipped,
)
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.people import People, find_people, known_people
from anonderm.ingest.sources.layouts import find_photos
from anonderm.ingest.sources.photo import Found, SkipKind, Skipped
from anonderm.ingest.write_faces import Source, write_faces


def ingest(config: IngestConfig, run: RunDir) -> FaceSet:
    """Check every photo, split by person, then store each in `faces/`: a square PNG, or the unchanged photo.

    Raises MissingPath, EmptyFolder, BadLabel, UnreadableImage (all bad photos at once), InputError (unknown
    layout, a path without a person, a photo without a given split), TooFewImages (a class without training or
    test people), ConfigError (run folder among the photos) or ConfigChanged (the photos differ from those at
    the start of an interrupted run).
    """
    if run.folder.resolve().is_relative_to(config.source.resolve()):
        hint = "Delete it, and choose another --out."
        raise ConfigError(f"{run.folder}: lies inside the photo folder.", hint)
    layout, found = find_photos(config)
    _log_found(layout, found, run)
    known = known_people(found.photos, config)
    checks, skipped = _usable(found, config, run)
    people = find_people(checks, known, config, run)
    sources = _sources(checks, people)
    splits = _splits(sources, config)
    _write_sources(sources, config, run)
    write_skipped(skipped, found.photos, run)
    people.report(config, {each.photo.name: splits[each.id] for each in sources}, run)
    faces = write_faces(sources, splits, layout, config, run)
    for label in faces.labels or (None,):
        rows = faces.where(label=label)
        counts = Counter(face.split for face in rows)
        shown = ", ".join(f"{split} {counts[split]}" for split in SPLITS)
        run.log(f"{label or 'total'}: {len(rows)} photos of {rows.people} people ({shown})")
    return faces


def _log_found(layout: str, found: Found, run: RunDir) -> None:
    labels = order_labels(photo.label for photo in found.photos if photo.label is not None)
    classes = f" in {len(labels)} classes: {', '.join(labels)}" if labels else ""
    run.log(f"{len(found.photos)} photos{classes} (layout {layout})")
    if unlabelled := sum(photo.label is None for photo in found.photos):
        run.log(f"{unlabelled} photos have no label; --label assigns one to every photo")
    if found.ignored:
        counts = ", ".join(f"{suffix or 'no suffix'} {n}" for suffix, n in sorted(found.ignored.items()))
        run.log(f"ignored {found.ignored.total()} files outside the classes or without images: {counts}")
    if found.skipped:
        lines = [f"{item.file}: {item.reason}" for item in found.skipped]
        run.log(f"warning: {len(lines)} problems in the source, see skipped.jsonl:{shortened(lines)}")
    if len(labels) == 1:
        run.log("warning: one class only; a generator can be trained on it, a classifier cannot")


def _readable(found: Found, config: IngestConfig, run: RunDir) -> tuple[list[Check], list[Skipped]]:
    """The photos that can be used, and those that cannot. Raises UnreadableImage if these are not allowed."""
    checks, problems = [], []
    with run.bar("checking photos", len(found.photos)) as bar:
        memory = Memory(run.folder, ".checked.jsonl")
        for check in check_photos(found.photos, config.min_side, config.max_megapixels, memory):
            if check.problem:
                kind: SkipKind = "too small" if check.width else "unreadable"
                problems.append(Skipped(check.photo.name, check.problem, kind))
            else:
                checks.append(check)
            bar.advance()
    if problems and not config.skip_unreadable:
        lines = [f"{problem.file}: {problem.reason}" for problem in problems]
        raise UnreadableImage(
            f"{len(problems)} of {len(found.photos)} photos cannot be used:{shortened(lines)}",
            "Repair or remove them and run the same command again, or add --skip-unreadable to leave them "
            "out.",
        )
    return checks, problems


def _usable(found: Found, config: IngestConfig, run: RunDir) -> tuple[list[Check], list[Skipped]]:
    """The readable photos, each picture once, with boxes in pixels; and everything that was left out."""
    checks, problems = _readable(found, config, run)
    kept, duplicates = drop_duplicates(checks, config.on_conflict)
    near: list[Skipped] = []
    if config.near_duplicates == "drop":
        kept, near = _without_copies(kept, config, run)
    labels = {check.photo.label for check in kept}
    for label in order_labels({photo.label for photo in found.photos if photo.label} - labels):
        of_class = {photo.name for photo in found.photos if photo.label == label}
        left_out = [each for each in (*problems, *duplicates, *near) if each.file in of_class]
        reasons = shortened([f"{each.file}: {each.reason}" for each in left_out])
        raise EmptyFolder(
            f"{config.source}: no usable photo of class {label}:{reasons}", "Fill or remove its folder."
        )
    if problems or duplicates or near:
        counts = f"{len(problems)} unusable, {len(duplicates)} duplicate and {len(near)} near-duplicate"
        run.log(f"left out {counts} photos, see skipped.jsonl")
    if not config.whole and (small := sum(min(each.width, each.height) < config.size for each in kept)):
        run.log(f"warning: {small} photos are smaller than {config.size} pixels and are enlarged")
    kept, lost = boxes_in_pixels(kept)
    if lost:
        photos = len({item.file for item in lost})
        run.log(f"warning: boxes of {photos} photos do not fit them and are unknown now, see skipped.jsonl")
    return kept, [*found.skipped, *problems, *duplicates, *near, *lost]


def _without_copies(
    checks: Sequence[Check], config: IngestConfig, run: RunDir
) -> tuple[list[Check], list[Skipped]]:
    """The largest of resized, recompressed, cropped and mirrored copies, in the order of `checks`."""
    with run.bar("searching for copies", len(checks)) as bar:
        groups = groups_of_near_duplicates(checks, bar)
    across = [group for group in groups if len({check.photo.split for check in group}) > 1]
    if across:
        run.log(f"warning: {len(across)} pictures are in several splits of the source; one copy is kept")
    relation = "a copy (resized, cropped or mirrored) of"
    kept, skipped = keep_first(groups, relation, "near duplicate", config.on_conflict)
    dropped = {check.photo.name for group in groups for check in group} - {each.photo.name for each in kept}
    return [check for check in checks if check.photo.name not in dropped], skipped


def _sources(checks: Sequence[Check], people: People) -> list[Source]:
    persons = people.on
    stems = slugs(check.photo.label or "photo" for check in checks)
    shown = sorted({persons[check.photo.name] for check in checks})
    pseudonyms = {person: f"person-{index:05d}" for index, person in enumerate(shown)}
    counts: Counter[str] = Counter()
    sources = []
    for check in checks:
        stem, person = stems[check.photo.label or "photo"], persons[check.photo.name]
        sources.append(
            Source(
                f"{stem}-{counts[stem]:05d}",
                pseudonyms[person],
                person,
                check,
                people.by.get(check.photo.name),
            )
        )
        counts[stem] += 1
    return sources


def _write_sources(sources: Sequence[Source], config: IngestConfig, run: RunDir) -> None:
    """Write sources.csv; a resumed run must find the same photos, or ids would change their meaning."""
    table = csv_text(
        ("id", "subject", "person", "width", "height", "file"),
        [
            {"id": each.id, "subject": each.subject, "person": each.person, "file": each.photo.name}
            | {"width": each.check.width, "height": each.check.height}
            for each in sources
        ],
    )
    path = run.folder / "sources.csv"
    if path.exists() and path.read_text(encoding="utf-8") != table:
        raise ConfigChanged(
            f"{config.source}: its photos differ from those at the start of this run ({path}).",
            f"Delete {run.folder} and run the same command again, or choose another --out.",
        )
    write_text(path, table)
    credits = [
        {"id": each.id, "credit": each.photo.credit, "licence": each.photo.licence}
        for each in sources
        if each.photo.credit
    ]
    if credits:
        write_csv(run.folder / "credits.csv", list(credits[0]), credits)


def _splits(sources: Sequence[Source], config: IngestConfig) -> dict[str, str]:
    """The split of each face; every class is in train, and in test if there is one.

    Raises TooFewImages: later stages would refuse such a FaceSet, but only after hours of training.
    """
    given = config.splits == "given"
    splits = _given(sources, config) if given else _drawn(sources, config.test_share, config)
    labels = {source.stratum for source in sources}
    for split in ("train", "test") if config.test_share and not given else ("train",):
        present = {source.stratum for source in sources if splits[source.id] == split}
        if missing := order_labels(labels - present):
            raise TooFewImages(
                f"{config.source}: nobody of class {', '.join(missing)} is left for split {split}.",
                "Add photos of other people of this class, or set test_share = 0 to do without a test split.",
            )
    return splits


def _drawn(sources: Sequence[Source], test_share: float, config: IngestConfig) -> dict[str, str]:
    """Splits by person, stratified by class."""
    subjects, labels = [each.subject for each in sources], [each.stratum for each in sources]
    rng = np.random.default_rng(config.seed)
    by_person = assign_splits(subjects, labels, config.val_share, test_share, rng)
    return {source.id: by_person[source.subject] for source in sources}


def _given(sources: Sequence[Source], config: IngestConfig) -> dict[str, str]:
    """The source's own splits; if it has no validation split, one is drawn from its training people."""
    missing = [source.photo.name for source in sources if source.photo.split is None]
    if missing:
        raise InputError(
            f"{config.source}: {len(missing)} photos have no split of their own:{shortened(missing)}",
            "Use --splits person.",
        )
    splits = {source.id: str(source.photo.split) for source in sources}
    if "val" in splits.values() or not config.val_share:
        return splits
    train = [source for source in sources if splits[source.id] == "train"]
    return splits | _drawn(train, 0.0, config)
