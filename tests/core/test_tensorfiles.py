"""Third-party weight files are read without executing code in them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from anonderm.core.errors import BrokenArtefact, InputError, MissingPath, UnsafePickle
from anonderm.core.tensorfiles import read_tensors, read_weights, weights_of

TENSORS = {"first.weight": torch.arange(6.0).reshape(2, 3), "first.bias": torch.ones(2)}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("wrapper", [None, "params_ema", "state_dict"])
def test_files_saved_by_torch_are_read(tmp_path: Path, zipped: bool, wrapper: str | None) -> None:
    content = {wrapper: TENSORS, "params": {}, "epoch": 3} if wrapper else TENSORS
    torch.save(content, tmp_path / "net.pth", _use_new_zipfile_serialization=zipped)
    found = read_tensors(tmp_path / "net.pth")
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "net.safetensors")
    assert torch.equal(read_tensors(tmp_path / "net.safetensors")["first.weight"], TENSORS["first.weight"])


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.mark),)


def test_a_pickle_that_would_execute_code_is_refused(tmp_path: Path) -> None:
    torch.save({"first.weight": Hostile(tmp_path / "ran")}, tmp_path / "net.pth")
    with pytest.raises(UnsafePickle, match=r"mkdir\.\n.*was not executed"):
        read_tensors(tmp_path / "net.pth")
    assert not (tmp_path / "ran").exists()


def _network(path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), path)


def _plain_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"epoch": Hostile(path.with_name("ran"))}))


def _array(path: Path) -> None:
    torch.save({"weight": np.zeros(3)}, path)


@pytest.mark.parametrize("write", [_network, _plain_pickle, _array, Path.touch])
def test_nobody_is_advised_to_load_a_file_that_could_run_code(
    tmp_path: Path, write: Callable[[Path], None], recwarn: pytest.WarningsRecorder
) -> None:
    write(tmp_path / "net.pth")
    with pytest.raises((UnsafePickle, BrokenArtefact)) as error:
        read_tensors(tmp_path / "net.pth")
    words = ("weights_only", "trust", "False", "allowlist", "()", "\x1b")
    assert not [word for word in words if word in error.value.message]
    assert not recwarn.list


def test_torchscript_programs_are_refused(tmp_path: Path) -> None:
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(str(tmp_path / "net.pt"))
    with pytest.raises(UnsafePickle, match=r"net\.pt: a TorchScript program"):
        read_tensors(tmp_path / "net.pt")


def test_files_without_weights_are_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(MissingPath, match=r"net\.pth"):
        read_tensors(tmp_path / "net.pth")
    for name in ("net.pth", "net.safetensors"):
        (tmp_path / name).write_bytes(b"<html>no such file</html>")
        with pytest.raises((BrokenArtefact, UnsafePickle), match=name):
            read_tensors(tmp_path / name)
    torch.save(TENSORS, tmp_path / "net.pth")
    complete = (tmp_path / "net.pth").read_bytes()
    (tmp_path / "net.pth").write_bytes(complete[: len(complete) // 2])
    with pytest.raises(BrokenArtefact, match=r"net\.pth"):
        read_tensors(tmp_path / "net.pth")
    for content in ([torch.ones(1)], {"epoch": 3}):
        torch.save(content, tmp_path / "net.pth")
        with pytest.raises(InputError, match=r"net\.pth"):
            read_tensors(tmp_path / "net.pth")


def test_other_files_are_refused_with_the_hint_of_the_caller(tmp_path: Path) -> None:
    torch.save({"first.weight": Hostile(tmp_path / "ran")}, tmp_path / "unsafe.pth")
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    (tmp_path / "damaged.safetensors").write_bytes(b"damaged")
    # A zip archive without its central directory.
    (tmp_path / "damaged.pth").write_bytes(b"PK\x05\x06" + b"\xff" * 18)
    for name in ("unsafe.pth", "list.pth", "damaged.safetensors", "damaged.pth"):
        with pytest.raises(BrokenArtefact, match=rf"{name}: not a file of weights") as caught:
            read_weights(tmp_path / name, "Get the published file.")
        assert caught.value.hint == "Get the published file."
    assert not (tmp_path / "ran").exists()
    with pytest.raises(MissingPath, match=r"gone\.pth"):
        read_weights(tmp_path / "gone.pth", "Get the published file.")


def test_tensors_of_another_network_are_refused_with_the_file_and_a_hint(tmp_path: Path) -> None:
    with (
        pytest.raises(BrokenArtefact, match=r"net\.pth: not the weights of DFDNet") as error,
        weights_of("DFDNet", tmp_path / "net.pth", "Download it again."),
    ):
        torch.nn.Linear(2, 3).load_state_dict({"weight": torch.zeros(4, 4)})
    assert error.value.hint == "Download it again."
