"""What a check of a release gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`file`, relative to the release (`archive!member` inside an archive), and what is wrong with it."""

    file: str
    what: str


@dataclass(frozen=True)
class Check:
    """`looked_at`: how many files or pictures; `note`: what was not checked, and why."""

    name: str
    looked_at: int
    faults: tuple[Fault, ...] = ()
    note: str = ""
