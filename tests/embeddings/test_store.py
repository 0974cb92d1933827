from __future__ import annotations

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from anonderm.core.errors import StorageError
from anonderm.core.progress import bar
from anonderm.embeddings import store as module
from anonderm.embeddings.store import Store, cache_folder, describe_each, key

STORE = Store("lengths", "0" * 64, (2,))


class Lengths:
    """Computes rows from keys, and notes for which."""

    def __init__(self, *keys: str) -> None:
        self.keys, self.computed = keys, list[str]()

    def __call__(self, missing: list[int]):
        for position in missing:
            self.computed.append(self.keys[position])
            yield np.array([[len(self.keys[position]), hash(self.keys[position]) % 1000]], np.float32)


def rows(*keys: str, store: Store = STORE) -> tuple[np.ndarray, list[str]]:
    lengths = Lengths(*keys)
    return store.rows(keys, lengths), lengths.computed


def shards() -> list[Path]:
    return sorted((cache_folder() / "embeddings").rglob("*.npz"))


def test_every_view_of_a_set_shares_the_rows_of_its_pictures():
    whole, computed = rows("a", "bb", "ccc")
    assert computed == ["a", "bb", "ccc"]
    some, computed = rows("ccc", "dddd", "a")
    assert computed == ["dddd"]
    assert some[[2, 0]].tolist() == whole[[0, 2]].tolist()
    assert some[:, 0].tolist() == [3, 4, 1]


def test_a_picture_that_occurs_twice_is_computed_once():
    found, computed = rows("a", "bb", "a")
    assert computed == ["a", "bb"]
    assert found[:, 0].tolist() == [1, 2, 1]


def test_mirrored_pictures_have_rows_of_their_own():
    assert rows(key("a"))[1] == ["a"]
    assert rows(key("a", mirrored=True))[1] == [key("a", mirrored=True)]


def test_another_digest_computes_again_and_so_does_another_version(monkeypatch):
    rows("a")
    assert rows("a", store=Store("lengths", "1" * 64, (2,)))[1] == ["a"]
    monkeypatch.setattr(module, "__version__", "99")
    assert rows("a")[1] == ["a"]


def test_no_pictures_have_no_rows():
    assert STORE.rows([], lambda missing: []).shape == (0, 2)


def test_many_pictures_need_few_files(monkeypatch):
    monkeypatch.setattr(module, "_SHARD_ROWS", 40)
    rows(*(f"{number:064d}" for number in range(100)))
    assert len(shards()) == 3
    assert rows(*(f"{number:064d}" for number in range(100)))[1] == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "pickle", "other shape", "other file"])
def test_a_damaged_shard_is_removed_and_computed_again(caplog, damage):
    whole, _ = rows("a", "bb")
    (file,) = shards()
    data = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(data[:-40])
    elif damage == "flipped":
        data[data.index(np.float32(2).tobytes())] ^= 1
        file.write_bytes(data)
    elif damage == "pickle":
        np.savez(file, keys=np.array([b"a", b"bb"]), rows=np.array([{"a": 1}] * 2))
    elif damage == "other shape":
        np.savez(file, keys=np.array([b"a", b"bb"]), rows=np.zeros((2, 3), np.float32))
    else:
        with file.open("wb") as opened:
            np.save(opened, np.zeros((2, 2)))
    with caplog.at_level(logging.WARNING):
        again, computed = rows("a", "bb")
    assert computed == ["a", "bb"]
    assert again.tolist() == whole.tolist()
    assert "damaged" in caplog.text
    assert rows("a", "bb")[1] == []


def test_an_error_in_the_middle_keeps_what_was_computed():
    def fails(missing):
        yield np.ones((1, 2), np.float32)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        STORE.rows(["a", "bb"], fails)
    assert rows("a", "bb")[1] == ["bb"]


SLOW = """
import sys, time, numpy as np
from anonderm.embeddings import store

def compute(missing):
    for number in range(len(missing)):
        if number == 5:
            print("ready", flush=True)
            time.sleep(60)
        yield np.full((1, 2), number, np.float32)

store._SHARD_ROWS = 2
store.Store("lengths", "0" * 64, (2,)).rows(sys.argv[1:], compute)
"""


def test_a_killed_process_leaves_whole_shards():
    keys = [f"{number}" for number in range(10)]
    with subprocess.Popen([sys.executable, "-c", SLOW, *keys], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.kill()
    assert rows(*keys)[1] == keys[4:]


def test_several_writers_at_once_do_not_disturb_each_other(monkeypatch):
    monkeypatch.setattr(module, "_SHARD_ROWS", 3)
    keys = [f"{number:03d}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = [part.result() for part in [pool.submit(rows, *keys[start:]) for start in range(8)]]
    assert all(each.tolist() == rows(*keys[start:])[0].tolist() for start, (each, _) in enumerate(found))
    assert rows(*keys)[1] == []


@pytest.mark.parametrize("error", [StorageError("disk full"), OSError(30, "read-only")])
def test_without_room_rows_are_only_returned_with_one_warning(monkeypatch, caplog, error):
    def refuse(path):
        raise error

    monkeypatch.setattr(module, "atomic_path", refuse)
    monkeypatch.setattr(module, "_SHARD_ROWS", 1)
    with caplog.at_level(logging.WARNING):
        found, _ = rows("a", "bb", "ccc")
    assert found[:, 0].tolist() == [1, 2, 3]
    assert caplog.text.count("not stored") == 1
    assert shards() == []


def test_the_shards_unused_for_longest_are_deleted_first(monkeypatch):
    rows("a")
    (old,) = shards()
    os.utime(old, (1, 1))
    monkeypatch.setattr(module, "MAX_BYTES", 1.5 * old.stat().st_size)
    rows("bb")
    assert len(shards()) == 1
    assert rows("bb")[1] == []
    assert rows("a")[1] == ["a"]


def test_only_the_user_may_read_the_store():
    rows("a")
    assert STORE.folder.parent.stat().st_mode & 0o077 == 0


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ANONDERM_CACHE", str(tmp_path / "elsewhere"))
    rows("a")
    assert list((tmp_path / "elsewhere").rglob("*.npz"))
    monkeypatch.delenv("ANONDERM_CACHE")
    monkeypatch.setattr(module.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "anonderm"


def test_an_item_without_a_face_is_nan_and_not_described_again():
    described = []

    def start():
        def describe(item):
            described.append(item)
            return np.full(2, item, np.float32) if item else None

        return describe

    for _ in range(2):
        with bar("describing", 3) as shown:
            found = describe_each(STORE, [1, 0, 2], ["a", "bb", "ccc"], start, shown)
        assert found[[0, 2]].tolist() == [[1, 1], [2, 2]]
        assert np.isnan(found[1]).all()
    assert described == [1, 0, 2]
