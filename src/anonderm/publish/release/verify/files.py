"""Checksums: every file is noted, there, and as it was."""

from __future__ import annotations

import re
from pathlib import Path

from anonderm.core.files import sha256_file
from anonderm.publish.release.export import CHECKSUMS
from anonderm.publish.release.verify.checks import Check, Fault

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def check_files(release: Path) -> Check:
    """Missing, changed and extra files; links count as extra, since they can lead out of the release."""
    noted, faults = _noted(release)
    present = {
        path.relative_to(release).as_posix(): path
        for path in sorted(release.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }
    present.pop(CHECKSUMS, None)
    for name, digest in noted.items():
        path = present.get(name)
        if path is None:
            faults.append(Fault(name, "is missing"))
        elif not path.is_symlink() and sha256_file(path) != digest:
            faults.append(Fault(name, "was changed"))
    faults += [Fault(name, "is a link") for name, path in present.items() if path.is_symlink()]
    faults += [Fault(name, f"is not noted in {CHECKSUMS}") for name in present if name not in noted]
    return Check("checksums", len(noted), tuple(faults))


def _noted(release: Path) -> tuple[dict[str, str], list[Fault]]:
    """Digests by file, as the list of checksums says."""
    try:
        lines = (release / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}, [Fault(CHECKSUMS, "is missing: the export was cut short, or this is no release")]
    except UnicodeDecodeError:
        return {}, [Fault(CHECKSUMS, "is not a list of checksums")]
    noted, faults = {}, []
    for number, line in enumerate(lines, start=1):
        if match := _LINE.fullmatch(line):
            noted[match[2]] = match[1]
        else:
            faults.append(Fault(CHECKSUMS, f"line {number} is not a checksum"))
    return noted, faults
