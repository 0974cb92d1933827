"""The person on each photo: as the source says, or as the faces do; and people on both sides of a split."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anonderm.core.errors import InputError
from anonderm.core.files import write_text
from anonderm.core.images import Pixels, write_png
from anonderm.core.rundir import RunDir
from anonderm.ingest.checks import shortened
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.people.describe import need_models
from anonderm.ingest.people.identify import identify
from anonderm.ingest.sources.photo import Photo


@dataclass(frozen=True)
class People:
    """on: the person on each photo, by the photo's name. bridges: person -> photos and their splits, of those
    who lie in several splits of the source. picture: what the distances of faces look like."""

    on: Mapping[str, str]
    bridges: Mapping[str, Mapping[str, str]]
    picture: Pixels | None = None

    def report(self, splits: str, run: RunDir) -> None:
        """Write people.png and bridges.jsonl where there is something to tell; `splits` as configured."""
        if self.picture is not None:
            write_png(run.folder / "people.png", self.picture)
        if not self.bridges:
            return
        if splits == "given":
            run.log(
                f"warning: {len(self.bridges)} people have photos in more than one split of the source, so "
                "what is measured on it will be too good; see bridges.jsonl, and take --splits person"
            )
        else:
            run.log(
                f"{len(self.bridges)} people lie in several splits of the source, see bridges.jsonl; "
                "here each lies in one"
            )
        rows = ({"person": person, "photos": photos} for person, photos in sorted(self.bridges.items()))
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_text(run.folder / "bridges.jsonl", "".join(lines))


def known_people(photos: Sequence[Photo], config: IngestConfig) -> dict[str, str | None]:
    """Who each photo shows, by its name, as `subjects` or the source says.

    Raises InputError for paths without a person, and MissingExtra where faces are to be compared and cannot.
    """
    if config.people == "faces":
        need_models()
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
    """Those whom nobody knows are told apart by their faces, or each photo is somebody else.

    Raises MissingExtra, MissingPath, UnreadableImage or ProcessLost.
    """
    if config.people == "faces":
        names = [known[photo.name] for photo in photos]
        on, picture = identify(photos, names, config.people_threshold, run)
        return People(on, _bridges(photos, on), picture)
    if any(known[photo.name] is None for photo in photos):
        run.log(
            "warning: photos of one person may lie on both sides of the split, since each photo counts as "
            "another person; give --subjects, or --people faces"
        )
    on = {photo.name: known[photo.name] or photo.original or photo.name for photo in photos}
    return People(on, _bridges(photos, on))


def _bridges(photos: Sequence[Photo], persons: Mapping[str, str]) -> dict[str, dict[str, str]]:
    splits: dict[str, dict[str, str]] = {}
    for photo in photos:
        if photo.split is not None:
            splits.setdefault(persons[photo.name], {})[photo.name] = photo.split
    return {person: there for person, there in splits.items() if len(set(there.values())) > 1}
