"""The commands `weights list`, `weights add` and `weights fetch`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from anonderm.cli.flags import flags_of, parse
from anonderm.core import weights


@dataclass(frozen=True)
class AddConfig:
    """Copy third-party weights that you have downloaded to where anonderm looks for them."""

    name: tyro.conf.Positional[str]
    """A name from `anonderm weights list`."""
    path: tyro.conf.Positional[Path]
    """Their file, or the folder that holds their files."""


@dataclass(frozen=True)
class FetchConfig:
    """Download third-party weights. This is the only command that uses a network."""

    name: tyro.conf.Positional[str]
    """A name from `anonderm weights list`."""


def show(arguments: list[str]) -> int:
    parse("weights list", "List all registered weights.", [], arguments)
    for shipped in weights.SHIPPED.values():
        state = "ships" if shipped.path.exists() else "missing"
        print(f"{shipped.name:<16} {state:<8} {shipped.purpose}\n{'':26}{shipped.licence}")
    for entry in weights.third_party().values():
        state = "present" if entry.is_present else "absent"
        print(f"{entry.name:<16} {state:<8} {entry.purpose}\n{'':26}{entry.licence}; {entry.page}")
    print(f"Third-party weights are kept in {weights.user_folder()}.", file=sys.stderr)
    return 0


def add(arguments: list[str]) -> int:
    values = parse("weights add", str(AddConfig.__doc__), flags_of(AddConfig), arguments)
    print(weights.add(values["name"], values["path"]))
    return 0


def fetch(arguments: list[str]) -> int:
    values = parse("weights fetch", str(FetchConfig.__doc__), flags_of(FetchConfig), arguments)
    from anonderm.core.download import fetch

    print(fetch(values["name"]))
    return 0
