"""The outcome of a check of a release. The first check: every file is listed, present and unchanged."""

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from anonderm.core.documents import read_text
from anonderm.core.errors import InputError
from anonderm.core.files import sha256_file
from anonderm.publish.release.export import CHECKSUMS

# What `export` writes; anything else could carry what the pictures must not show.
_BELONGS = re.compile(
    r"LICENSE|README\.md|croissant\.json|evidence\.(html|json)|coco/instances_train\.json|train/metadata\.csv"
    r"|train/[^/]+/[^/]+\.png|parquet/faces-\d{5}\.parquet|webdataset/faces-\d{5}\.tar|stylegan/dataset\.zip"
)
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


@dataclass(frozen=True)
class Fault:
    """`file`, relative to the release (`archive!member` inside an archive), and what is wrong with it."""

    file: str
    what: str


@dataclass(frozen=True)
class Check:
    """`checked`: number of files or pictures; `note`: what was not checked, and why."""

    name: str
    checked: int
    faults: tuple[Fault, ...] = ()
    note: str = ""


def check_files(release: Path) -> Check:
    """Missing, changed and unlisted files; links are faults, as they can point outside the release."""
    listed, faults = _listed(release)
    present = {
        path.relative_to(release).as_posix(): path
        for path in sorted(release.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }
    present.pop(CHECKSUMS, None)
    regular = set(regular_files(release))
    for name, digest in listed.items():
        path = present.get(name)
        if path is None:
            faults.append(Fault(name, "is missing"))
        elif path in regular and sha256_file(path) != digest:
            faults.append(Fault(name, "was changed"))
    faults += [Fault(name, "is a symbolic link") for name, path in present.items() if path.is_symlink()]
    faults += [
        Fault(name, "is a pipe or a device")
        for name, path in present.items()
        if path not in regular and not path.is_symlink()
    ]
    faults += [Fault(name, f"is not listed in {CHECKSUMS}") for name in present if name not in listed]
    faults += [Fault(name, "is no file of a release") for name in present if not _BELONGS.fullmatch(name)]
    return Check("checksums", len(listed), tuple(faults))


def regular_files(release: Path) -> list[Path]:
    """Every file of a release that may be read: no link, which can point outside, and no pipe or device."""
    return [
        path
        for path in sorted(release.rglob("*"))
        if not path.is_symlink() and stat.S_ISREG(path.stat().st_mode)
    ]


def _listed(release: Path) -> tuple[dict[str, str], list[Fault]]:
    """The listed digests by file."""
    if not (release / CHECKSUMS).exists():
        return {}, [Fault(CHECKSUMS, "is missing: the export did not finish, or this is no release")]
    try:
        lines = read_text(release / CHECKSUMS).splitlines()
    except InputError:
        return {}, [Fault(CHECKSUMS, "is not a list of checksums")]
    listed, faults = {}, []
    for number, line in enumerate(lines, start=1):
        if match := _LINE.fullmatch(line):
            listed[match[2]] = match[1]
        else:
            faults.append(Fault(CHECKSUMS, f"line {number} is not a checksum"))
    return listed, faults
