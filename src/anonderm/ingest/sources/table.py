"""A table of photos: CSV, TSV, JSON lines or Parquet, one row per photo; the settings name the columns.

Files are named relative to the table's folder, and must be below it.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from anonderm.core.errors import ConfigError, InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo
from anonderm.ingest.sources.reading import TABLE_SUFFIXES, Table, cell_text, read_split, read_table

# Common names of columns, which are recognised if the settings name none.
_COMMON_NAMES = {
    "file": ("file", "file_name", "filename", "image", "image_path", "path"),
    "label": ("label", "labels", "class", "severity", "grade"),
    "subject": ("subject", "subject_id", "person", "patient", "patient_id"),
    "split": ("split", "set", "fold"),
    "licence": ("licence", "license"),
    "credit": ("credit", "author"),
}


def fits_file(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() in TABLE_SUFFIXES


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source.absolute().parent)
    table = read_table(config.source)
    columns = choose_columns(table, config.chosen_columns, config.source)
    if "file" not in columns:
        raise _no_column("file", table, config.source)
    listing.photos += photos_of(listing, table, columns, "", config.source.name)
    return listing.found({config.source.name})


def photos_of(
    listing: Listing, table: Table, columns: Mapping[str, str], folder: str, where: str
) -> Iterator[Photo]:
    """The photos named by the rows of a table in `folder`; rows without a usable photo are skipped.

    Raises InputError where photos are missing that an archive beside the table seems to hold.
    """
    missing = 0
    for number, row in table.rows:
        facts = {what: cell_text(row.get(column)) for what, column in columns.items()}
        name = listing.find(facts["file"], folder) if facts["file"] else None
        line = f"{where}:{number}"
        if not facts["file"]:
            listing.skip(line, "names no file", "photo missing")
        elif name is None:
            listing.skip_missing(line, facts["file"])
            missing += 1
        elif "label" in columns and not facts["label"]:
            listing.skip(name, f"no label in {line}", "label unknown")
        elif facts.get("split") and read_split(facts["split"]) is None:
            listing.skip(name, f"unknown split {facts['split']!r} in {line}", "split unknown")
        else:
            yield with_facts(listing.photo(name), facts)
    archives = [name for name in listing.with_suffix(".zip", ".tar", ".gz", ".7z", ".rar") if "/" not in name]
    if archives and missing == len(table.rows):
        raise InputError(
            f"{where}: none of its {missing} photos exists, but there is {', '.join(archives)}.",
            f"Unpack it beside the table: unzip {archives[0]}",
        )


def with_facts(photo: Photo, facts: Mapping[str, str]) -> Photo:
    """`facts`: what -> text of the table's cell, "" if it is empty."""
    return dataclasses.replace(
        photo,
        label=facts.get("label") or None,
        subject=facts.get("subject") or None,
        split=read_split(facts.get("split", "")) or photo.split,
        licence=facts.get("licence", ""),
        credit=facts.get("credit", ""),
    )


def choose_columns(table: Table, chosen: Mapping[str, str], source: Path) -> dict[str, str]:
    """What -> column, as chosen in the settings, or by a common name. Raises ConfigError if it is missing."""
    lower_case = {column.lower(): column for column in reversed(table.columns)}
    found: dict[str, str] = {}
    for what, names in _COMMON_NAMES.items():
        if what in chosen and chosen[what] not in table.columns:
            raise _no_column(chosen[what], table, source)
        common = [lower_case[name] for name in names if name in lower_case]
        if what in chosen or common:
            found[what] = chosen.get(what) or common[0]
    return found


def _no_column(name: str, table: Table, source: Path) -> ConfigError:
    known = ", ".join(table.columns)
    return ConfigError(
        f"{source}: no column {name!r}.", f"Its columns: {known}. Name them: --columns file=... label=..."
    )
