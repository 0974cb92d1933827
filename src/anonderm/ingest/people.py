"""The person on each photo, by the source or by the faces; and people with photos in several splits."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anonderm.core.errors import InputError
from anonderm.core.files import write_json_lines
from anonderm.core.images import Pixels, write_png
from anonderm.core.rundir import RunDir
from anonderm.embeddings.matchers.registry import identity_matcher
from anonderm.embeddings.people.grouping import group_people
from anonderm.ingest.checks import shortened
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.photo import Photo


@dataclass(frozen=True)
class People:
    """on: the person on each photo, by the photo's name. bridges: for people with photos in several splits
    of the source, these photos and their splits. evidence: the distances between faces (people.png)."""

    on: Mapping[str, str]
    bridges: Mapping[str, Mapping[str, str]]
    evidence: Pixels | None = None

    def report(self, splits: str, run: RunDir) -> None:
        """Write people.png and bridges.jsonl where there is anything to report; `splits` as configured."""
        if self.evidence is not None:
            write_png(run.folder / "people.png", self.evidence)
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


def known_people(photos: Sequence[Photo], config: IngestConfig) -> dict[str, str | None]:
    """The person on each photo, by the photo's name, from `subjects` or from the source; None where unknown.

    Raises InputError for paths without a person, and where `people = faces` lacks its matcher as that does:
    MissingExtra, MissingWeights, MissingPath, BrokenArtefact or InputError.
    """
    if config.people == "faces":
        identity_matcher(config.people_matcher)
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
    photos: Sequence[Photo], known: Mapping[str, str | None], config: IngestConfig, run: RunDir
) -> People:
    """The person on each photo. Unknown people are grouped by their faces, or each photo counts as one.

    Raises MissingExtra, MissingWeights, MissingPath, UnreadableImage or ProcessLost.
    """
    on = {photo.name: known[photo.name] or photo.original or photo.name for photo in photos}
    if config.people == "faces":
        names, originals = [known[photo.name] for photo in photos], [photo.original for photo in photos]
        matcher = identity_matcher(config.people_matcher)
        numbers, evidence = group_people(photos, matcher, names, originals, config.people_threshold, run)
        on |= _named(photos, names, numbers)
        return People(on, _bridges(photos, on), evidence)
    if any(known[photo.name] is None for photo in photos):
        run.log(
            "warning: photos of one person may end up in different splits, since each photo counts as "
            "another person; use --subjects, or --people faces"
        )
    return People(on, _bridges(photos, on))


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
