"""The outcome of a check of a release."""

from __future__ import annotations

from dataclasses import dataclass


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
