"""`anonderm verify RELEASE`: every check of a release, as a table, and every fault by its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from anonderm.core.errors import MissingPath
from anonderm.core.rundir import RunRecord
from anonderm.publish.release.verify.checks import Check
from anonderm.publish.release.verify.files import check_files
from anonderm.publish.release.verify.papers import check_papers, read_evidence
from anonderm.publish.release.verify.pictures import check_pictures


@dataclass(frozen=True)
class VerifyConfig:
    """Check a release: checksums, the mark in every picture of every format, card, Croissant, evidence."""

    release: tyro.conf.Positional[Path]
    """The folder with checksums.sha256, or the run folder of its export."""


def verify(release: Path) -> list[Check]:
    """Every check, faults and all. Raises MissingPath where there is no such folder."""
    if not release.is_dir():
        raise MissingPath(f"{release}: no such folder.", "Give the folder of a release.")
    if (release / "run.json").exists():
        RunRecord.load(release)
        release = release / "release"
        if not release.is_dir():
            raise MissingPath(f"{release}: this run made no release.", "Export the set first.")
    told = read_evidence(release)
    return [check_files(release), *check_pictures(release, told), *check_papers(release, told)]


def show(checks: list[Check]) -> None:
    """The table and the faults, on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Release")
    table.add_column("check")
    table.add_column("looked at", justify="right")
    table.add_column("outcome")
    for check in checks:
        count = len(check.faults)
        outcome = f"{count} fault{'s' if count > 1 else ''}" if count else "as it should be"
        table.add_row(
            check.name, f"{check.looked_at:,}", f"{outcome}; {check.note}" if check.note else outcome
        )
    Console().print(table)
    for check in checks:
        for fault in check.faults:
            print(f"{fault.file}: {fault.what}")
