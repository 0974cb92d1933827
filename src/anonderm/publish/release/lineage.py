"""The lineage of the faces: their generators, the base checkpoints of these, and every licence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from anonderm.core import weights
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet

NOT_STATED = "not stated"
_UNKNOWN = "not given with --source-models, so its licence and training data are unknown"
_KINDS = {"gan": "generator", "classifier": "classifier that labelled the faces", "encoder": "face embedding"}


@dataclass(frozen=True)
class Ancestor:
    """A model behind the faces: sha256, role, licence and training data."""

    digest: str
    role: str
    licence: str
    trained_on: str


def ancestors(faces: FaceSet, source_models: Sequence[Checkpoint]) -> tuple[Ancestor, ...]:
    """The generators with their chains of base checkpoints, then the other source_models; each once.

    Raises InputError if a generator is identified by anything other than a sha256, such as a path.
    """
    known = {digest: weights.load(name) for digest, name in _shipped().items()}
    known |= {each.digest: each for each in source_models}
    generators = sorted({str(face.checkpoint) for face in faces})
    for digest in generators:
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise InputError(
                f"{faces.folder}: the generator of a face is {digest[:40]!r}, which is no sha256.",
                "Give faces from `anonderm generate`.",
            )
    others = [each.digest for each in source_models if each.digest not in generators]
    found: dict[str, Ancestor] = {}
    for digest in (*generators, *others):
        role = "generator of the faces" if digest in generators else ""
        found |= {each.digest: each for each in _chain(digest, role, known) if each.digest not in found}
    return tuple(found.values())


def licences(faces: FaceSet, behind: Sequence[Ancestor]) -> dict[str, list[str]]:
    """Every licence, and what is under it; the faces inherit that of the photos."""
    found: dict[str, list[str]] = {}
    for licence in sorted({face.licence or NOT_STATED for face in faces}):
        found.setdefault(licence, []).append("the faces, inherited from the photos")
    for each in behind:
        found.setdefault(each.licence, []).append(f"{each.role} {each.digest[:12]}")
    return found


@cache
def _shipped() -> dict[str, str]:
    """Names of the weights that ship, by their sha256."""
    return {weights.load(name).digest: name for name in weights.SHIPPED}


def _chain(digest: str, role: str, known: dict[str, Checkpoint]) -> Iterator[Ancestor]:
    """A model, its base, the base of that and so on, as far as checkpoints or cards document it."""
    if digest not in known:
        yield Ancestor(digest, role or "weights", NOT_STATED, _UNKNOWN)
        return
    card = known[digest].card
    role = role or _shipped_name(digest) or _KINDS.get(card.kind, card.kind)
    yield Ancestor(digest, role, card.licence or NOT_STATED, _trained_on(card.notes, card.data_digest))
    base = card.notes.get("base")
    if base in known:
        yield from _chain(str(base), _shipped_name(str(base)) or "base of a generator", known)
        return
    bases = card.notes.get("bases") or ([{"digest": base}] if base else [])
    for each in bases:
        licence, data = each.get("licence") or NOT_STATED, each.get("data_digest", "")
        trained_on = _trained_on(each, data) if "licence" in each else _UNKNOWN
        yield Ancestor(str(each["digest"]), "base of a generator", licence, trained_on)


def _trained_on(notes: dict[str, Any], data_digest: str) -> str:
    """In words; a FaceSet is identified by its digest, which shows whether two models share it."""
    parts = []
    if origin := notes.get("trained_on"):
        count = notes.get("faces") or notes.get("n")
        parts.append(f"{count:,} {origin} faces" if isinstance(count, int) else f"{origin} faces")
    if notes.get("made_of"):
        parts.append(str(notes["made_of"]))
    if data_digest:
        parts.append(f"set {data_digest[:12]}")
    if notes.get("weights"):
        parts.append(f"starting from {notes['weights']}")
    return ", ".join(parts) or NOT_STATED


def _shipped_name(digest: str) -> str:
    name = _shipped().get(digest)
    return f"{name}, which ships with anonderm" if name else ""
