"""`anonderm verify RELEASE`: every check as a table, and every fault with its file."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from anonderm.core.errors import MissingPath
from anonderm.core.rundir import RunRecord
from anonderm.publish.release.verify.checks import Check, check_files
from anonderm.publish.release.verify.documents import check_documents
from anonderm.publish.release.verify.evidence import read_evidence
from anonderm.publish.release.verify.pictures import check_pictures


@dataclass(frozen=True)
class VerifyConfig:
    """Verify a release: checksums, the mark of every picture in every format, card, Croissant, evidence."""

    release: tyro.conf.Positional[Path]
    """The folder with checksums.sha256, or the run folder of its export."""


def verify(release: Path) -> list[Check]:
    """Every check, with its faults. Raises MissingPath if there is no such folder."""
    if not release.is_dir():
        raise MissingPath(f"{release}: no such folder.", "Give the folder of a release.")
    if (release / "run.json").exists():
        RunRecord.load(release)
        release = release / "release"
        if not release.is_dir():
            raise MissingPath(f"{release}: this run made no release.", "Export the set first.")
    evidence = read_evidence(release)
    return [check_files(release), *check_pictures(release, evidence), *check_documents(release, evidence)]


def show(checks: list[Check]) -> None:
    """The table and the faults, on stdout."""
    from rich.console import Console
    from rich.table import Column, Table

    table = Table("check", Column("checked", justify="right"), "outcome", title="Release")
    for check in checks:
        count = len(check.faults)
        outcome = f"{count} fault{'s' if count > 1 else ''}" if count else "correct"
        table.add_row(check.name, f"{check.checked:,}", f"{outcome}; {check.note}" if check.note else outcome)
    Console().print(table)
    for check in checks:
        for fault in check.faults:
            print(f"{fault.file}: {fault.what}")
