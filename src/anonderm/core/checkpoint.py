"""Checkpoint: weights as safetensors, and a JSON card with everything that is needed to use them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anonderm.core.documents import WrongField, as_type, read_json
from anonderm.core.errors import AnondermError, BrokenArtefact, MissingPath
from anonderm.core.files import sha256_file, write_bytes, write_json
from anonderm.core.setting_words import shown

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["gan", "classifier", "encoder", "skin", "detector"]
LARGEST_SIDE = 4096
"""Pixels of the largest picture that a network reads or draws."""
_LONGEST_LABEL = 200


@dataclass(frozen=True)
class CheckpointCard:
    """The description of the weights.

    `classes` are the labels of a conditional network or classifier, in the order of its embeddings or
    outputs; `label` is the class of a generator that was trained on a single one. `data_digest` is the digest
    of the training FaceSet.
    """

    kind: Kind
    architecture: dict[str, Any]
    resolution: int
    pixel_range: tuple[float, float] = (-1.0, 1.0)
    classes: tuple[str, ...] = ()
    label: str | None = None
    data_digest: str = ""
    licence: str = ""
    command: str = ""
    notes: dict[str, Any] = field(default_factory=dict)


def _read_card(path: Path) -> CheckpointCard:
    content = read_json(path)
    hint = "Restore it from where the checkpoint was made, or make the checkpoint again."
    known = {each.name for each in dataclasses.fields(CheckpointCard)}
    if isinstance(content, dict) and (unknown := content.keys() - known):
        raise BrokenArtefact(f"{path}: not a checkpoint card (it holds {min(unknown)!r}).", hint)
    try:
        card = as_type(CheckpointCard, content)
    except WrongField as error:
        place = error.place or "its content"
        raise BrokenArtefact(
            f"{path}: not a checkpoint card ({place} is missing or of a wrong kind).", hint
        ) from error
    if problem := _problem(card):
        raise BrokenArtefact(f"{path}: {problem}.", hint)
    return card


def _problem(card: CheckpointCard) -> str | None:
    low, high = card.pixel_range
    names = (*card.classes, *([] if card.label is None else [card.label]))
    if not 1 <= card.resolution <= LARGEST_SIDE:
        return f"resolution = {shown(card.resolution)}, which must be 1 to {LARGEST_SIDE}"
    if not (low < high and math.isfinite(high - low)):
        return f"pixel_range = {shown(card.pixel_range)}, which must be two numbers, the smaller one first"
    if len(set(card.classes)) < len(card.classes):
        return "two classes of the same name"
    if wrong := [name for name in names if not (0 < len(name) <= _LONGEST_LABEL and "\0" not in name)]:
        return f"{shown(wrong[0])} is no name of a class, which has 1 to {_LONGEST_LABEL} characters"
    return None


def compact(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions and matrices as float16; norms stay float32, as small variances would underflow."""
    return {name: value.half() if value.ndim > 1 else value for name, value in weights.items()}


@dataclass(frozen=True)
class Checkpoint:
    """`path` is the .safetensors file; its card is next to it, with the suffix .json."""

    path: Path
    card: CheckpointCard

    @staticmethod
    def load(path: Path) -> Checkpoint:
        """Read the card; `tensors` reads the weights. Raises MissingPath or BrokenArtefact."""
        hint = "Give a .safetensors file that has its .json card next to it."
        if not path.exists():
            raise MissingPath(f"{path}: no such checkpoint.", hint)
        if not path.with_suffix(".json").exists():
            raise MissingPath(f"{path}: not a checkpoint, or its card {path.stem}.json is missing.", hint)
        return Checkpoint(path, _read_card(path.with_suffix(".json")))

    @staticmethod
    def save(path: Path, tensors: dict[str, Tensor], card: CheckpointCard) -> Checkpoint:
        """Write the weights, then the card, each atomically."""
        from safetensors.torch import save

        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        write_bytes(path, save(plain))
        write_json(path.with_suffix(".json"), dataclasses.asdict(card))
        return Checkpoint(path, card)

    @cached_property
    def digest(self) -> str:
        return sha256_file(self.path)

    @contextmanager
    def opened_as(self, kind: Kind, name: str, hint: str) -> Iterator[CheckpointCard]:
        """The card, for building the network that it describes and loading its weights.

        Raises BrokenArtefact for another kind of checkpoint (`name` is what the message calls the expected
        one, `hint` what to do), and if the weights do not fit the card.
        """
        if self.card.kind != kind:
            raise BrokenArtefact(f"{self.path}: a checkpoint of kind {self.card.kind}, not {name}.", hint)
        try:
            yield self.card
        except AnondermError:
            raise
        except Exception as error:  # of any kind, as the card may say anything
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise BrokenArtefact(
                f"{self.path}: weights and card do not fit ({reason}).",
                "Train it again, or download it again.",
            ) from error

    def tensors(self, device: str = "cpu") -> dict[str, Tensor]:
        """The weights on this device. Raises BrokenArtefact if the file is damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self.path, device=device)
        except (SafetensorError, OSError) as error:
            raise BrokenArtefact(
                f"{self.path}: damaged weights ({error}).", "Create or download them again."
            ) from error
