"""The person on each photo, by the source, a reviewer or the faces; and people in several splits."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anonderm.core.errors import InputError
from anonderm.core.files import write_csv, write_json_lines
from anonderm.core.images import Pixels, write_png
from anonderm.core.records import IdentifiedBy
from anonderm.core.rundir import RunDir
from anonderm.embeddings.matchers.registry import identity_matcher
from anonderm.embeddings.people.grouping import Grouping, group_people
from anonderm.embeddings.people.reviewed import Reviewed, no_such_file, reviewed
from anonderm.ingest.checks import Check, shortened
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.photo import Photo
from anonderm.ingest.sources.table_files import read_table

_WHAT_NEXT = (
    "Name the people: --subjects, or a table with a column of subjects. Or give a better network: "
    "--people-matcher FILE.onnx; or a reviewer's decisions, --people-pairs FILE. To go on without knowing "
    "who is who: --people unverified."
)


@dataclass(frozen=True)
class People:
    """on: the person on each photo, by the photo's name. by: what tells so, for those of which anything does.

    bridges: for people with photos in several splits of the source, these photos and their splits.
    missed: expected pairs of photos of one person that count as two people; None: cannot be estimated.
    """

    on: Mapping[str, str]
    by: Mapping[str, IdentifiedBy]
    bridges: Mapping[str, Mapping[str, str]]
    missed: float | None = None
    evidence: Pixels | None = None
    pairs: Sequence[dict[str, Any]] = ()
    detectors: Mapping[str, str | None] = field(default_factory=dict)

    def report(self, config: IngestConfig, splits: Mapping[str, str], run: RunDir) -> None:
        """Write what there is to check, and say how far people are known; `splits`: by the photo's name."""
        if self.evidence is not None:
            write_png(run.folder / "people.png", self.evidence)
        if self.detectors:
            write_json_lines(run.folder / "people.jsonl", self.pairs)
            rows = [{"file": name, "detector": found or ""} for name, found in self.detectors.items()]
            write_csv(run.folder / "detected.csv", ("file", "detector"), rows)
        self._report_bridges(config.splits, run)
        if unknown := len(self.on) - len(self.by):
            run.log(
                f"WARNING: people unknown. Of {unknown} of {len(self.on)} photos nothing tells whether "
                f"others show the same person, so people may be in several splits: {self._across(splits)}. "
                "Results on the test split may be too good, and the audit has no reliable controls"
            )
            run.log(_WHAT_NEXT)

    def _across(self, splits: Mapping[str, str]) -> str:
        """How many pairs of one person are expected in two splits."""
        if self.missed is None:
            return "how many pairs of photos that concerns cannot be estimated"
        return f"about {self.missed * _apart(splits.values()):.0f} pairs of photos of one person"

    def _report_bridges(self, splits: str, run: RunDir) -> None:
        if not self.bridges:
            return
        if splits == "given":
            run.log(
                f"warning: {len(self.bridges)} people have photos in several splits of the source, so "
                "results on its test split will be too good; see bridges.jsonl, or use --splits person"
            )
        else:
            run.log(
                f"{len(self.bridges)} people have photos in several splits of the source, see bridges.jsonl; "
                "here each person is in one split"
            )
        rows = ({"person": person, "photos": photos} for person, photos in sorted(self.bridges.items()))
        write_json_lines(run.folder / "bridges.jsonl", rows)


def _apart(splits: Any) -> float:
    """The probability that two photos drawn at random are in two splits."""
    counts = np.array(list(Counter(splits).values()), float)
    return float(1 - ((counts / counts.sum()) ** 2).sum())


def known_people(photos: Sequence[Photo], config: IngestConfig) -> dict[str, str | None]:
    """The person on each photo, by the photo's name, from `subjects` or from the source; None where unknown.

    Raises InputError for paths without a person, and where `people = faces` lacks its matcher as that does:
    MissingExtra, MissingWeights, MissingPath, BrokenArtefact or InputError.
    """
    if config.people != "source":
        identity_matcher(config.people_matcher)
    if config.people_pairs and not config.people_pairs.is_file():
        raise no_such_file(config.people_pairs)
    if config.subjects is None:
        return {photo.name: photo.subject for photo in photos}
    matches = {photo.name: re.search(config.subjects, photo.name) for photo in photos}
    missing = [name for name, match in matches.items() if not (match and match[1])]
    if missing:
        raise InputError(
            f"subjects = {config.subjects!r} finds no person in {len(missing)} paths:{shortened(missing)}",
            "Change the pattern, or rename these files.",
        )
    return {name: match[1] for name, match in matches.items() if match}


def find_people(
    checks: Sequence[Check], known: Mapping[str, str | None], config: IngestConfig, run: RunDir
) -> People:
    """The person on each photo. Unknown people are grouped by their faces, or each photo counts as one.

    Raises InputError if the faces do not tell people apart (`people = faces`), and for bad `people_pairs`;
    MissingExtra, MissingWeights, MissingPath, UnreadableImage or ProcessLost.
    """
    photos = [check.photo for check in checks]
    on = {photo.name: known[photo.name] or photo.original or photo.name for photo in photos}
    by: dict[str, IdentifiedBy] = {photo.name: "source" for photo in photos if known[photo.name]}
    if config.people == "source" and config.people_pairs is None:
        return People(on, by, _bridges(photos, on))
    grouping = _grouping(checks, known, config, run)
    if config.people == "faces" and not grouping.tells_apart and len(by) < len(on):
        raise _people_unknown(config, grouping)
    names = [known[photo.name] for photo in photos]
    on |= _named(photos, names, grouping.person)
    found = zip(photos, grouping.by, strict=True)
    by |= {photo.name: what for photo, what in found if what and photo.name not in by}
    return People(
        on,
        by
        if grouping.tells_apart
        else {name: what for name, what in by.items() if what in ("source", "reviewer")},
        _bridges(photos, on),
        grouping.missed,
        grouping.sheet,
        grouping.rows,
        {photo.name: what for photo, what in zip(photos, grouping.detectors, strict=True)},
    )


def _grouping(
    checks: Sequence[Check], known: Mapping[str, str | None], config: IngestConfig, run: RunDir
) -> Grouping:
    photos = [check.photo for check in checks]
    return group_people(
        photos,
        np.stack([check.thumbnail_TT for check in checks]),
        identity_matcher(config.people_matcher),
        [known[photo.name] for photo in photos],
        [photo.original for photo in photos],
        _reviewed(config, photos),
        config.people_threshold,
        run,
    )


def _reviewed(config: IngestConfig, photos: Sequence[Photo]) -> Reviewed:
    if config.people_pairs is None:
        return Reviewed()
    table = read_table(config.people_pairs)
    rows = [(line, {name: str(value) for name, value in row.items()}) for line, row in table.rows]
    return reviewed(config.people_pairs, rows, [photo.name for photo in photos])


def _people_unknown(config: IngestConfig, grouping: Grouping) -> InputError:
    estimate = "unknown how many" if grouping.missed is None else f"about {grouping.missed:.0f}"
    how = f": {grouping.threshold.how}" if grouping.threshold else ": too few faces were found"
    recall = f", and would find {grouping.threshold.recall:.0%} of the pairs" if grouping.threshold else ""
    return InputError(
        f"{config.source}: people unknown. The faces do not tell these people apart{how}{recall}. A split "
        f"would not be person-disjoint: {estimate} pairs of photos of one person would count as two people.",
        _WHAT_NEXT,
    )


def _named(
    photos: Sequence[Photo], known: Sequence[str | None], numbers: Sequence[int | None]
) -> dict[str, str]:
    """A grouped person has the name that the source gives, or that of the first photo."""
    grouped = [each for each in zip(photos, known, numbers, strict=True) if each[2] is not None]
    names: dict[int | None, str] = {}
    for photo, name, number in sorted(grouped, key=lambda each: (each[1] is None, each[0].name)):
        names.setdefault(number, name or photo.name)
    return {photo.name: names[number] for photo, _, number in grouped}


def _bridges(photos: Sequence[Photo], persons: Mapping[str, str]) -> dict[str, dict[str, str]]:
    splits: dict[str, dict[str, str]] = {}
    for photo in photos:
        if photo.split is not None:
            splits.setdefault(persons[photo.name], {})[photo.name] = photo.split
    return {person: there for person, there in splits.items() if len(set(there.values())) > 1}
