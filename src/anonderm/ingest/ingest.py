"""ingest: a folder of photos, one sub-folder a class -> FaceSet.

faces/          the FaceSet
sources.csv     id, person and file of every face; the FaceSet holds no file names, since they may name people
skipped.jsonl   photos left out, each with the reason

.checked.jsonl notes what was read already. Being hidden, it does not count as a result: after an error the
same run folder may be used with other settings.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anonderm.core.errors import ConfigChanged, ConfigError, EmptyFolder, InputError, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import write_text
from anonderm.core.images import read_image, resize, square
from anonderm.core.names import slugs
from anonderm.core.records import SPLITS, Face, order_labels
from anonderm.core.rundir import RunDir
from anonderm.ingest.checks import Skipped, check_photos, drop_duplicates, shortened, unusable
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.folder import Listing, Photo, list_photos
from anonderm.ingest.splits import assign_splits


def ingest(config: IngestConfig, run: RunDir) -> FaceSet:
    """Check every photo, split by person, then store each as a square PNG in `faces/`.

    Photos are cut to the largest centred square and resampled. Raises MissingPath, EmptyFolder, BadLabel,
    UnreadableImage (all bad photos at once), InputError (a path without a person), TooFewImages (a class with
    nobody to train on or to test), ConfigError (run folder among the photos) or ConfigChanged (photos are not
    those that an interrupted run began with).
    """
    if run.folder.resolve().is_relative_to(config.source.resolve()):
        hint = "Delete it, and choose another --out."
        raise ConfigError(f"{run.folder}: lies inside the photo folder.", hint)
    listing = list_photos(config.source)
    _say_what_was_found(listing, run)
    persons = dict(zip(listing.photos, _persons(listing.photos, config.subjects), strict=True))
    photos = _usable_photos(listing.photos, config, run)
    sources = _sources(photos, [persons[photo] for photo in photos])
    splits = _splits(sources, config)
    _pin_sources(sources, config, run)
    return _write_faces(sources, splits, config, run)


def _say_what_was_found(listing: Listing, run: RunDir) -> None:
    labels = order_labels(photo.label for photo in listing.photos)
    run.log(f"{len(listing.photos)} photos in {len(labels)} classes: {', '.join(labels)}")
    if listing.ignored:
        counts = ", ".join(f"{suffix or 'no suffix'} {n}" for suffix, n in sorted(listing.ignored.items()))
        run.log(f"ignored {listing.ignored.total()} files outside the classes or not images: {counts}")
    if len(labels) == 1:
        run.log("warning: one class only; a generator can be trained on it, a classifier cannot")


def _persons(photos: Sequence[Photo], pattern: str | None) -> list[str]:
    """Who each photo shows, as the paths say; without a pattern each photo is somebody else."""
    if pattern is None:
        return [photo.name for photo in photos]
    matches = [re.search(pattern, photo.name) for photo in photos]
    missing = [photo.name for photo, match in zip(photos, matches, strict=True) if not (match and match[1])]
    if missing:
        raise InputError(
            f"subjects = {pattern!r} finds no person in {len(missing)} paths:{shortened(missing)}",
            "Change the pattern, or rename these files.",
        )
    return [match[1] for match in matches if match]


def _usable_photos(photos: Sequence[Photo], config: IngestConfig, run: RunDir) -> list[Photo]:
    shown = run.progress(photos, "checking photos")
    checks = list(check_photos(shown, config.min_side, run.folder / ".checked.jsonl"))
    problems = [Skipped(check.photo.name, check.problem) for check in checks if check.problem]
    if problems and not config.skip_unreadable:
        raise unusable(problems, len(photos))
    good = [check for check in checks if not check.problem]
    kept, duplicates = drop_duplicates(good)
    for label in sorted({photo.label for photo in photos} - {photo.label for photo in kept}):
        raise EmptyFolder(f"{config.source}: no usable photo of class {label}.", "Fill or remove its folder.")
    _write_skipped(problems + duplicates, run)
    if problems or duplicates:
        run.log(
            f"left out {len(problems)} unusable and {len(duplicates)} duplicate photos, see skipped.jsonl"
        )
    if enlarged := sum(check.side < config.size for check in good):
        run.log(f"warning: {enlarged} photos are smaller than {config.size} pixels and are enlarged")
    return kept


def _write_skipped(skipped: Sequence[Skipped], run: RunDir) -> None:
    lines = (json.dumps(dataclasses.asdict(item), ensure_ascii=False) + "\n" for item in skipped)
    write_text(run.folder / "skipped.jsonl", "".join(lines))


@dataclass(frozen=True, slots=True)
class Source:
    """A photo with the id of its face and the pseudonym of its person."""

    id: str
    subject: str
    person: str
    photo: Photo


def _sources(photos: Sequence[Photo], persons: Sequence[str]) -> list[Source]:
    names = slugs(photo.label for photo in photos)
    pseudonyms = {person: f"person-{index:05d}" for index, person in enumerate(sorted(set(persons)))}
    seen: Counter[str] = Counter()
    sources = []
    for photo, person in zip(photos, persons, strict=True):
        id = f"{names[photo.label]}-{seen[photo.label]:05d}"
        seen[photo.label] += 1
        sources.append(Source(id, pseudonyms[person], person, photo))
    return sources


def _pin_sources(sources: Sequence[Source], config: IngestConfig, run: RunDir) -> None:
    """Write sources.csv; a resumed run must find the same photos, or ids would change their meaning."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("id", "subject", "person", "file"))
    rows.writerows((source.id, source.subject, source.person, source.photo.name) for source in sources)
    path = run.folder / "sources.csv"
    if path.exists() and path.read_text(encoding="utf-8") != table.getvalue():
        raise ConfigChanged(
            f"{config.source}: its photos are no longer those that this run began with ({path}).",
            f"Delete {run.folder} and run the same command again, or choose another --out.",
        )
    write_text(path, table.getvalue())


def _splits(sources: Sequence[Source], config: IngestConfig) -> dict[str, str]:
    """The split of each person; every class is in train, and in test where there is one.

    Raises TooFewImages: later stages would refuse such a FaceSet, but after hours of training.
    """
    labels = [source.photo.label for source in sources]
    subjects = [source.subject for source in sources]
    rng = np.random.default_rng(config.seed)
    splits = assign_splits(subjects, labels, config.val_share, config.test_share, rng)
    for split in ("train", "test") if config.test_share else ("train",):
        there = {source.photo.label for source in sources if splits[source.subject] == split}
        missing = [label for label in order_labels(labels) if label not in there]
        if missing:
            raise TooFewImages(
                f"{config.source}: nobody of class {', '.join(missing)} is left for split {split}.",
                "Add photos of other people of this class, or take test_share = 0 to do without a test.",
            )
    return splits


def _write_faces(
    sources: Sequence[Source], splits: dict[str, str], config: IngestConfig, run: RunDir
) -> FaceSet:
    if config.subjects is None:
        run.log(
            "warning: photos of one person may lie on both sides of the split, since each photo counts as "
            "another person; give --subjects"
        )
    writer = FaceSetWriter(run.folder / "faces")
    for source in run.progress(sources, "storing faces"):
        if source.id not in writer.done:
            face = Face(
                source.id,
                label=source.photo.label,
                subject=source.subject,
                split=splits[source.subject],
                source="folder",
                licence=config.licence,
            )
            writer.add(resize(square(read_image(source.photo.path)), config.size), face)
    faces = writer.finish()
    _say_what_was_stored(faces, run)
    return faces


def _say_what_was_stored(faces: FaceSet, run: RunDir) -> None:
    for label in faces.labels:
        rows = faces.where(label=label)
        counts = Counter(face.split for face in rows)
        people = rows.people
        shown = ", ".join(f"{split} {counts[split]}" for split in SPLITS)
        run.log(f"{label}: {len(rows)} photos of {people} people ({shown})")
