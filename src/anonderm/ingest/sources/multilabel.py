"""Roboflow's multi-label classification: which lesion types each photo shows, without boxes.

train/_classes.csv    filename, comedone, papule
                      a.jpg, 1, 0
train/a.jpg           likewise valid/ and test/
"""

import dataclasses
import posixpath
from collections.abc import Mapping
from typing import Any

from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found
from anonderm.ingest.sources.reading import split_of
from anonderm.ingest.sources.table_files import head_columns, read_table

_TABLE = "_classes.csv"
_FLAGS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}


def fits(listing: Listing) -> bool:
    """RetinaNet's exports have a file of this name, too."""
    return any(_is_table(head_columns(listing.files[name])) for name in listing.named(_TABLE))


def _is_table(columns: tuple[str, ...]) -> bool:
    return len(columns) > 1 and columns[0].lower() == "filename"


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    tables = listing.named(_TABLE)
    for file in tables:
        table = read_table(listing.files[file])
        if not _is_table(table.columns):
            raise InputError(
                f"{listing.files[file]}: its first column is not `filename`.", "Export it again."
            )
        for number, row in table.rows:
            named = str(row[table.columns[0]])
            name = listing.find(named, posixpath.dirname(file))
            if name is None:
                listing.skip_missing(f"{file}:{number}", named)
            elif (kinds := marked_types(row, table.columns[1:])) is None:
                listing.skip(name, f"{file}:{number} has values other than 0 and 1", "label unknown")
            else:
                photo = listing.photo(name)
                listing.photos.append(dataclasses.replace(photo, lesion_types=kinds, split=split_of(name)))
    return listing.found_by_roboflow(tables)


def marked_types(row: Mapping[str, Any], columns: tuple[str, ...]) -> tuple[str, ...] | None:
    """The columns that hold 1, in alphabetical order; None unless every one holds 0 or 1."""
    values = {column: str(row.get(column, "")).strip() for column in columns}
    flags = {column: _FLAGS.get(value.lower()) for column, value in values.items()}
    if None in flags.values():
        return None
    return tuple(sorted(column for column, flag in flags.items() if flag))
