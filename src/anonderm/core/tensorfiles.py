"""Read tensors from third-party files without executing any code in them."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anonderm.core.errors import BrokenArtefact, InputError, MissingPath, UnsafePickle

if TYPE_CHECKING:
    from torch import Tensor

# The function or class in a refusal of torch, whose advice to load the file all the same is not passed on.
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a .safetensors file, or of what torch.save wrote (.pth, .pt, .ckpt), on the CPU.

    From a training checkpoint it takes the weights, preferably the averaged ones. Raises MissingPath,
    UnsafePickle (the file holds more than tensors), InputError (another kind of file) or BrokenArtefact.
    """
    if not path.is_file():
        raise MissingPath(f"{path}: no such file.", "Give a .pth, .ckpt or .safetensors file.")
    content: Mapping[str, Any] = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    for wrapper in _WRAPPERS:
        inner = content.get(wrapper)
        if inner and isinstance(inner, Mapping):
            content = inner
            break
    return _named_tensors(path, content)


def read_weights(path: Path, hint: str) -> dict[str, Tensor]:
    """`read_tensors` for a file that should hold the weights of one known network.

    Raises MissingPath, and BrokenArtefact with this hint for anything else that is wrong with the file.
    """
    try:
        return read_tensors(path)
    except MissingPath:
        raise
    except (InputError, BrokenArtefact) as error:
        reason = error.message.removeprefix(f"{path}: ")
        raise BrokenArtefact(f"{path}: not a file of weights: {reason}", hint) from error


@contextmanager
def weights_of(network: str, path: Path, hint: str) -> Iterator[None]:
    """Turn what a network raises for tensors that do not match it into BrokenArtefact."""
    try:
        yield
    except (KeyError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise BrokenArtefact(f"{path}: not the weights of {network} ({reason}).", hint) from error


def _safetensors(path: Path) -> Mapping[str, object]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise BrokenArtefact(
            f"{path}: not a readable .safetensors file ({error}).", "Download it again."
        ) from error


def _torch(path: Path) -> Mapping[str, object]:
    import torch

    try:
        program = _is_program(path)
        with warnings.catch_warnings(action="ignore"):  # of other versions of pickle
            content = None if program else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        called = _GLOBAL.search(str(error))
        what = f": {called[1]}" if called else ", or is damaged"
        raise UnsafePickle(
            f"{path}: holds more than tensors{what}.",
            "It was not executed. Give a file that holds only weights, as torch.save writes a state_dict().",
        ) from error
    # On a damaged file, torch.load can raise almost anything.
    except Exception as error:
        raise BrokenArtefact(
            f"{path}: damaged, or not a file that torch.save wrote.", "Download it again."
        ) from error
    if program:
        raise UnsafePickle(
            f"{path}: a TorchScript program.", "It was not executed. Give a file that holds only weights."
        )
    if not isinstance(content, Mapping):
        raise InputError(
            f"{path}: holds a {type(content).__name__} instead of named tensors.",
            "Give a file with the weights of a network.",
        )
    return content


def _is_program(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _named_tensors(path: Path, content: Mapping[str, object]) -> dict[str, Tensor]:
    import torch

    named = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not named:
        raise InputError(f"{path}: holds no named tensors.", "Give a file with the weights of a network.")
    return named
