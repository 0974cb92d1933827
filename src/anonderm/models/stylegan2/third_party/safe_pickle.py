"""Read third-party pickles without executing code in them.

A pickle is a program that names functions and calls them. Here, it may use only a closed list of names, each
of which stands for a function of this file that builds a tensor, an array or a plain container. Objects of
other classes become `Stored`, which only holds their state; source code in the pickle stays a string. Any
other name raises an error before anything is called.
"""

import io
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from anonderm.core import progress
from anonderm.core.errors import BrokenArtefact, InputError, MissingPath, UnsafePickle

_NUMBER_TYPE = re.compile(r"[<>|=]?([fiu][1248]|b1)")


class Stored:
    """A third-party object: the name of its class, and its attributes."""

    class_name = ""
    state: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.class_name, self.state = class_name, state

    def __setstate__(self, state: object) -> None:
        # This also prevents a pickle from setting attributes of the class.
        raise pickle.UnpicklingError(f"a {self.class_name} cannot be given a state twice")


class TensorFlowNetwork(Stored):
    """dnnlib.tflib.network.Network, whose state is a dict."""

    class_name = "Network"

    def __setstate__(self, state: object) -> None:
        self.state = _plain_dict(state)


class _Dict(dict[str, Any]):
    """dnnlib.util.EasyDict: a dict and nothing more."""

    def __setstate__(self, state: object) -> None:
        if state:
            raise pickle.UnpicklingError("an EasyDict with attributes")


class _NumberType:
    """numpy.dtype of plain numbers; the real one accepts states that corrupt memory."""

    def __init__(self, code: object) -> None:
        if not isinstance(code, str) or not _NUMBER_TYPE.fullmatch(code):
            raise pickle.UnpicklingError(f"an array of type {code!r}")
        self.value = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        self.value = self.value.newbyteorder(state[1])


class _Array:
    """numpy.ndarray under construction, whose content is set as its state."""

    value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _version, shape, number_type, fortran, data = state
        if not isinstance(number_type, _NumberType) or not isinstance(data, bytes):
            raise pickle.UnpicklingError("an array of something other than numbers")
        self.value = np.frombuffer(data, number_type.value).reshape(shape, order="F" if fortran else "C")


def plain_array(value: object) -> np.ndarray:
    """A stored array, or a number as a 0-dimensional array, in float32. Raises InputError."""
    if isinstance(value, _Array) and value.value is not None:
        return value.value.astype(np.float32)
    if isinstance(value, int | float):
        return np.array(value, np.float32)
    raise InputError(f"a {type(value).__name__} instead of an array.")


class _Named:
    """A function that a pickle may call but not modify."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> NoReturn:
        raise pickle.UnpicklingError("a function cannot be given a state")


def _plain_dict(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise pickle.UnpicklingError(f"a {type(value).__name__} where a dict of names is expected")
    return value


def _persistent(meta: object) -> Stored:
    """NVIDIA's wrapper of a module: its class, its state, and its source code, which is ignored."""
    content = _plain_dict(meta)
    if content["type"] != "class":
        raise pickle.UnpicklingError(f"a persistent {content['type']!r}")
    return Stored(str(content["class_name"]), _plain_dict(content["state"]))


def _storage(data: bytes) -> Tensor:
    """The values of a storage, which PyTorch saves as a file inside the pickle."""
    try:
        storage = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # whose message may advise to load it all the same
        raise pickle.UnpicklingError("numbers of a tensor that cannot be read") from error
    if not isinstance(storage, torch.storage.TypedStorage):
        raise pickle.UnpicklingError(f"a {type(storage).__name__} where a tensor's numbers are expected")
    return torch.empty(0, dtype=storage.dtype).set_(storage)


def _tensor(
    numbers: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_rest: Any
) -> Tensor:
    """Raises RuntimeError if it extends beyond its storage, UnpicklingError if it repeats values."""
    tensor = torch.as_strided(numbers, size, stride, offset)
    if tensor.numel() > numbers.numel():
        raise pickle.UnpicklingError("a tensor larger than its storage")
    return tensor


def _scalar(number_type: _NumberType, data: bytes) -> int | float | bool:
    return np.frombuffer(data, number_type.value)[0].item()


_ALLOWED: dict[tuple[str, str], Any] = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _Named(_persistent),
    ("torch.storage", "_load_from_bytes"): _Named(_storage),
    ("torch._utils", "_rebuild_tensor_v2"): _Named(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Named(lambda tensor, *_: tensor),
    ("collections", "OrderedDict"): _Named(dict),
    ("builtins", "set"): _Named(set),
    ("dnnlib.util", "EasyDict"): _Dict,
    ("dnnlib.tflib.network", "Network"): TensorFlowNetwork,
    ("numpy", "dtype"): _Named(lambda code, *_: _NumberType(code)),
    ("numpy", "ndarray"): _Named(lambda *_: _Array()),
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _ALLOWED[_module, "_reconstruct"] = _Named(lambda *_: _Array())
    _ALLOWED[_module, "scalar"] = _Named(_scalar)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise UnsafePickle(
                f"the pickle refers to {module}.{name}, which is not part of StyleGAN2.",
                "It was not executed. Only NVIDIA's StyleGAN2 networks can be imported.",
            )
        return _ALLOWED[module, name]


class _FileWithProgress:
    """A file that advances a progress bar as it is read."""

    def __init__(self, file: io.BufferedReader, bar: progress.Bar) -> None:
        self._file, self._bar = file, bar

    def read(self, size: int = -1) -> bytes:
        return self._count(self._file.read(size))

    def readline(self) -> bytes:
        return self._count(self._file.readline())

    def _count(self, data: bytes) -> bytes:
        self._bar.advance(len(data) / 1e6)
        return data


def read_pickle(path: Path) -> Any:
    """The content of a pickle, with third-party objects as `Stored`.

    Raises UnsafePickle, MissingPath, InputError (another kind of file), BrokenArtefact.
    """
    if not path.is_file():
        raise MissingPath(f"{path}: no such file.", "Give NVIDIA's .pkl file.")
    with path.open("rb") as file, progress.bar("reading (MB)", path.stat().st_size / 1e6) as bar:
        _check_file_type(path, file.peek(4)[:4])
        try:
            return _Reader(_FileWithProgress(file, bar)).load()
        except UnsafePickle as error:
            raise UnsafePickle(f"{path}: {error.message}", error.hint) from error
        except Exception as error:
            # The calls of a damaged pickle can raise anything.
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BrokenArtefact(
                f"{path}: not a readable pickle ({reason[:200]}).", "Download or create the file again."
            ) from error


def _check_file_type(path: Path, first: bytes) -> None:
    if first[:2] == b"PK":
        raise InputError(
            f"{path}: a zip archive, as written by torch.save, not one of NVIDIA's pickles.",
            "Give a network-snapshot-*.pkl of their training, or a .pkl that they published.",
        )
    if first[:1] != b"\x80":
        raise InputError(f"{path}: not a pickle.", "Give NVIDIA's .pkl file.")
