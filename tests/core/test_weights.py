"""The register of weights: third-party weights are added, checked and found again."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import pytest

from anonderm.cli import main
from anonderm.core import weights
from anonderm.core.errors import BrokenArtefact, MissingPath, MissingWeights
from anonderm.core.weights import ThirdPartyWeights, WeightsFile

CONTENT = b"numbers of a network"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANONDERM_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


def register(monkeypatch: pytest.MonkeyPatch, *files: WeightsFile) -> None:
    entry = ThirdPartyWeights("net", "a test", "CC0-1.0", "https://example.org/net", "pictures", files)
    monkeypatch.setattr(weights, "third_party", lambda: {"net": entry})


def given(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_every_entry_states_its_source_and_licence() -> None:
    for entry in weights.third_party().values():
        assert entry.purpose
        assert entry.licence
        assert entry.expects
        assert entry.page.startswith("https://")
        for each in entry.files:
            assert each.sha256 is None or len(bytes.fromhex(each.sha256)) == 32
            assert each.sha256 or not each.url, "an automatic download needs a digest"
            assert not Path(each.file).is_absolute()
            if each.url:
                assert urlparse(each.url).scheme == "https"
                assert urlparse(each.url).hostname in ("github.com", "dl.fbaipublicfiles.com")
    assert not weights.third_party().keys() & weights.SHIPPED.keys()


def test_a_setting_names_a_file_or_registered_weights(folder: Path, tmp_path: Path) -> None:
    own = given(tmp_path / "own.pth")
    assert weights.find(str(own)) == own
    with pytest.raises(MissingWeights, match="weights fetch gfpgan"):
        weights.find("gfpgan")
    with pytest.raises(MissingPath, match="gfpgam: no such weights") as error:
        weights.find("gfpgam")
    assert "anonderm weights" in error.value.hint


def test_the_error_for_missing_weights_states_how_to_get_them(folder: Path) -> None:
    with pytest.raises(MissingWeights, match="weights add dfdnet FOLDER") as error:
        weights.locate("dfdnet")
    assert "fetch" not in error.value.hint, "no address is registered for them"
    with pytest.raises(MissingWeights, match="weights fetch gfpgan"):
        weights.locate("gfpgan")
    with pytest.raises(MissingWeights, match="Known: dfdnet"):
        weights.locate("gfpgen")


def test_added_weights_are_found(folder: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    register(monkeypatch, WeightsFile("net.pth", hashlib.sha256(CONTENT).hexdigest()))
    mine = given(tmp_path / "download (1).pth")
    assert main(["weights", "add", "net", str(mine)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "net" / "net.pth")
    assert weights.locate("net").read_bytes() == CONTENT
    assert main(["weights", "list"]) == 0
    assert "net              present" in capsys.readouterr().out


def test_a_file_that_is_not_the_published_one_is_refused(folder: Path, tmp_path: Path, monkeypatch) -> None:
    register(monkeypatch, WeightsFile("net.pth", hashlib.sha256(CONTENT).hexdigest()))
    with pytest.raises(BrokenArtefact, match="not the published"):
        weights.add("net", given(tmp_path / "net.pth", CONTENT[:-1]))
    assert not folder.exists()
    given(folder / "net" / "net.pth", b"something else")
    with pytest.raises(BrokenArtefact, match=r"net\.pth"):
        weights.locate("net")


def test_files_in_a_folder_are_found_at_any_depth(folder: Path, tmp_path: Path, monkeypatch) -> None:
    register(monkeypatch, WeightsFile("net.pth"), WeightsFile("centres/nose.npy"))
    given(tmp_path / "mine" / "checkpoints" / "x" / "net.pth")
    with pytest.raises(MissingPath, match=r"nose\.npy"):
        weights.add("net", tmp_path / "mine")
    given(tmp_path / "mine" / "nose.npy", b"nose")
    assert weights.add("net", tmp_path / "mine") == weights.locate("net") == folder / "net"
    assert (folder / "net" / "centres" / "nose.npy").read_bytes() == b"nose"
    with pytest.raises(MissingPath, match="folder with all"):
        weights.add("net", tmp_path / "mine" / "nose.npy")


def test_without_a_published_digest_that_of_the_first_use_is_recorded(folder: Path, monkeypatch) -> None:
    register(monkeypatch, WeightsFile("net.pth"))
    path = given(folder / "net" / "net.pth")
    assert weights.locate("net") == path
    path.write_bytes(b"changed")
    with pytest.raises(BrokenArtefact, match="expected"):
        weights.locate("net")


def test_the_users_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANONDERM_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setattr(sys, "platform", "linux")
    assert weights.user_folder() == Path("/data/anonderm/weights")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert weights.user_folder() == Path.home() / "Library/Application Support/anonderm/weights"


def test_the_list_answers_without_torch() -> None:
    command = "main(['weights', 'list'])"
    code = f"import sys; from anonderm.cli import main; {command}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
