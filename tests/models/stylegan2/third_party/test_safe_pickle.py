"""Third-party pickles: no code in them is executed, and errors are named."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import field_pickles as field
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_importer import ARCH, imported, networks

from anonderm.core.errors import AnondermError, BrokenArtefact, InputError, MissingPath, UnsafePickle
from anonderm.models.stylegan2.third_party.config import ImportGanConfig
from anonderm.models.stylegan2.third_party.importer import import_gan
from anonderm.models.stylegan2.third_party.safe_pickle import read_pickle


class Call:
    """Pickles as a call of `function` when it is read."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, state: Any = None) -> None:
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


def written(path: Path, data: bytes) -> Path:
    (path / "net.pkl").write_bytes(data)
    return path / "net.pkl"


def _text(code: str, path: Path) -> str:
    return code.replace("MARK", str(path / "mark"))


ATTACKS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "os.system": (lambda path: Call(os.system, _text("touch MARK", path)), "system"),
    "builtins.eval": (lambda path: Call(eval, _text("open('MARK', 'w')", path)), "builtins.eval"),
    "builtins.exec": (lambda path: Call(exec, _text("open('MARK', 'w')", path)), "builtins.exec"),
    "builtins.open": (lambda path: Call(open, _text("MARK", path), "w"), "io.open|_io.open"),
    "builtins.getattr": (lambda path: Call(getattr, "text", "upper"), "getattr"),
    "torch.load": (lambda path: Call(torch.load, _text("MARK", path)), "load"),
    "torch.hub": (lambda path: Call(torch.hub.load, "x", "y"), "torch.hub"),
    "numpy.load": (lambda path: Call(np.load, _text("MARK", path)), "numpy.load"),
    "pickle.loads": (lambda path: Call(pickle.loads, pickle.dumps(1)), "loads"),
    "as state of a layer": (
        lambda path: field.persistent({"": field.Module("Generator", {"x": Call(os.system, "true")})}),
        "system",
    ),
}


@pytest.mark.parametrize(("attack", "named"), ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_pickle_that_would_execute_code_is_refused_without_executing_it(
    tmp_path: Path, attack: Callable[[Path], Any], named: str, protocol: int
) -> None:
    data = field.dumped({"G_ema": attack(tmp_path)}, protocol)
    with pytest.raises(UnsafePickle, match=named) as caught:
        read_pickle(written(tmp_path, data))
    assert "net.pkl" in str(caught.value)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "instructions",
    ["cos\nsystem\n(S'touch MARK'\ntR.", "(S'touch MARK'\nios\nsystem\n.", "(cos\nsystem\nS'touch MARK'\no."],
    ids=["REDUCE", "INST", "OBJ"],
)
def test_calls_of_older_protocols_are_refused_too(tmp_path: Path, instructions: str) -> None:
    data = b"\x80\x02" + _text(instructions, tmp_path).encode()
    with pytest.raises(UnsafePickle, match=r"os\.system"):
        read_pickle(written(tmp_path, data))
    assert not (tmp_path / "mark").exists()
    pickle.loads(data)
    assert (tmp_path / "mark").exists(), "the plain unpickler must fall for it, or this proves nothing"


def test_the_attack_of_these_tests_works_on_the_plain_unpickler(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(ATTACKS["os.system"][0](tmp_path)))
    assert (tmp_path / "mark").exists()


def test_source_code_in_a_pickle_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "mark"
    monkeypatch.setattr(field, "SOURCE", f"open({str(mark)!r}, 'w')")
    generator, discriminator = networks(ARCH)
    content = read_pickle(written(tmp_path, field.pytorch_pickle(generator, discriminator)))
    tensorflow = read_pickle(
        written(tmp_path, field.dumped(field.tensorflow_networks(generator, discriminator)))
    )
    assert content["G_ema"].class_name == "Generator"
    assert tensorflow[2].state["name"] == "Gs"
    assert not mark.exists()


def _inner(content: Any) -> bytes:
    """What a tensor's storage would be: a file of torch.save, here with another content."""
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def _as_storage(data: bytes) -> Any:
    return {"G_ema": Call(torch.storage._load_from_bytes, data)}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_inside_the_bytes_of_a_tensor_is_not_executed(tmp_path: Path) -> None:
    attack = Call(os.system, f"touch {tmp_path / 'mark'}")
    for data in (_inner(attack), _inner([attack]), pickle.dumps(attack)):
        with pytest.raises(BrokenArtefact, match="not a readable pickle"):
            read_pickle(written(tmp_path, pickle.dumps(_as_storage(data))))
    assert not (tmp_path / "mark").exists()


def test_bytes_that_hold_no_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenArtefact, match="where a tensor's numbers are expected"):
        read_pickle(written(tmp_path, pickle.dumps(_as_storage(_inner({"a": 1})))))


def _tensor(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    storage = torch.arange(6.0)._typed_storage()
    return pickle.dumps(Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, {}))


def test_a_tensor_is_a_view_of_its_storage(tmp_path: Path) -> None:
    tensor = read_pickle(written(tmp_path, _tensor((2, 3), (3, 1))))
    assert torch.equal(tensor, torch.arange(6.0).view(2, 3))


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((7,), (1,), 0), ((6,), (1,), 1), ((10**12,), (0,), 0), ((2,), (1,), -1), ((2,), (-1,), 3)],
)
def test_a_tensor_that_extends_beyond_its_storage_is_refused(
    tmp_path: Path, size: tuple[int, ...], stride: tuple[int, ...], offset: int
) -> None:
    with pytest.raises(BrokenArtefact):
        read_pickle(written(tmp_path, _tensor(size, stride, offset)))


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(np.array([{}, []], dtype=object)),
        pickle.dumps(np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")])),
        pickle.dumps(np.array(["text"])),
        # a set state on a function, on a class, and on a module's object
        b"\x80\x04ccollections\nOrderedDict\n}b.",
        b"\x80\x04cdnnlib.tflib.network\nNetwork\n}b.",
        b"\x80\x04cdnnlib.util\nEasyDict\nN}\x8c\x06updateK\x01s\x86b.",
        b"\x80\x04cdnnlib.util\nEasyDict\n)\x81}\x8c\x06updateK\x01sb.",
    ],
    ids=["objects", "records", "text", "function", "network class", "dict class", "dict"],
)
def test_nothing_but_numbers_and_plain_containers_is_built(tmp_path: Path, data: bytes) -> None:
    pickletools.dis(data, out=io.StringIO())  # a complete pickle: what fails is the name in it
    with pytest.raises((BrokenArtefact, UnsafePickle)):
        read_pickle(written(tmp_path, data))


def test_arrays_of_every_plain_kind_come_back(tmp_path: Path) -> None:
    arrays = [
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([True, False]),
        np.array(2, dtype=np.int8),
    ]
    for array, read in zip(arrays, read_pickle(written(tmp_path, pickle.dumps(arrays, 4))), strict=True):
        assert np.array_equal(read.value, array)
    assert read_pickle(written(tmp_path, pickle.dumps(np.float32(0.5)))) == 0.5


@cache
def _whole() -> bytes:
    return field.pytorch_pickle(*networks(ARCH))


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    for share in (0.0001, 0.3, 0.999):
        path = written(tmp_path, _whole()[: int(len(_whole()) * share)])
        with pytest.raises(BrokenArtefact, match="not a readable pickle"):
            read_pickle(path)


PLAIN = int | float | str | bytes | bytearray | list | dict | tuple | set | frozenset | None


def _read_or_told(data: bytes) -> Any:
    """The content, or None where it was refused with an error of this package; any other error fails."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return read_pickle(written(Path(folder), data))
        except AnondermError:
            return None


EDITS = st.lists(st.tuples(st.integers(2, 2000), st.integers(0, 255)), min_size=1, max_size=4)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "whole", [_tensor((2, 3), (3, 1)), pickle.dumps(np.arange(4.0))], ids=["torch", "numpy"]
)
@given(edits=EDITS)
def test_a_damaged_pickle_is_read_or_refused_and_nothing_else(
    whole: bytes, edits: list[tuple[int, int]]
) -> None:
    damaged = bytearray(whole)
    for place, value in edits:
        damaged[2 + place % (len(damaged) - 2)] = value
    _read_or_told(bytes(damaged))


@given(st.binary(max_size=60))
def test_arbitrary_bytes_give_plain_values_or_an_error(data: bytes) -> None:
    assert isinstance(_read_or_told(b"\x80\x04" + data), PLAIN)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a pickle"),
        (b"\x89PNG\r\n", "not a pickle"),
        (b"PK\x03\x04rest", "zip archive"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pickle(written(tmp_path, data))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {}, "epoch": 3}, "a dict of state_dict, epoch"),
        ([1, 2], "a list"),
        ((1, 2, 3), "a tuple"),
    ],
)
def test_a_pickle_of_something_else_is_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        imported(tmp_path, pickle.dumps(content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPath, match=r"gone\.pkl"):
        import_gan(ImportGanConfig(tmp_path / "gone.pkl", tmp_path / "out.safetensors"))
