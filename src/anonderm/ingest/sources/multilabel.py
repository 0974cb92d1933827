"""Roboflow's multi-label classification: which kinds of lesion each photo shows, without boxes.

train/_classes.csv    filename, comedone, papule
                      a.jpg, 1, 0
train/a.jpg           and the same in valid/ and test/
"""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.photo import Found, Photo, Skipped
from anonderm.ingest.sources.roboflow import with_licence
from anonderm.ingest.sources.table import read_rows
from anonderm.ingest.sources.tree import Tree, split_of

_TABLE = "_classes.csv"


def fits(source: Path) -> bool:
    return any(source.glob(_TABLE)) or any(source.glob(f"*/{_TABLE}"))


def find(config: IngestConfig) -> Found:
    tree = Tree(config.source)
    photos: list[Photo] = []
    skipped: list[Skipped] = []
    tables = tree.named(_TABLE)
    for file in tables:
        table = read_rows(tree.files[file])
        if len(table.columns) < 2 or table.columns[0].lower() != "filename":
            raise InputError(f"{tree.files[file]}: its first column is not `filename`.", "Export it again.")
        for number, row in table.rows:
            said = str(row["filename"])
            name = tree.find(said, posixpath.dirname(file))
            if name is None:
                skipped.append(
                    Skipped(f"{file}:{number}", f"names {said!r}, which is not there", "photo missing")
                )
            elif (kinds := seen(row, table.columns[1:])) is None:
                skipped.append(
                    Skipped(name, f"{file}:{number} holds something else than 0 and 1", "label unknown")
                )
            else:
                photos.append(dataclasses.replace(tree.photo(name), lesion_types=kinds, split=split_of(name)))
    return with_licence(tree, tree.found(photos, skipped, tables))


def seen(row: Mapping[str, Any], columns: tuple[str, ...]) -> tuple[str, ...] | None:
    """The columns that hold 1, in alphabetical order; None unless every one holds 0 or 1."""
    values = {column: str(row.get(column, "")).strip() for column in columns}
    if not set(values.values()) <= {"0", "1"}:
        return None
    return tuple(sorted(column for column, value in values.items() if value == "1"))
