"""croissant.json: valid by the reference implementation, and its records can be read."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from made_up_release import SHARD_MB, write_release

from anonderm.core.faceset import FaceSet

mlcroissant = pytest.importorskip("mlcroissant")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
def test_it_is_valid_without_warnings_and_without_a_network(faces: FaceSet, tmp_path: Path) -> None:
    settings = {"creator": "A clinic", "published": "2026-11-21"}
    release = write_release(tmp_path / "export", faces, **settings)
    metadata = mlcroissant.Dataset(jsonld=str(release / "croissant.json")).metadata
    assert metadata.ctx.issues.errors == set()
    assert metadata.ctx.issues.warnings == set()
    assert metadata.creators[0].name == "A clinic"


@pytest.mark.parametrize("first", ["imagefolder", "parquet"])
def test_its_records_are_the_faces(faces: FaceSet, tmp_path: Path, first: str) -> None:
    release = write_release(tmp_path / "export", faces, formats=(first, "stylegan"))
    records = list(mlcroissant.Dataset(jsonld=str(release / "croissant.json")).records("faces"))
    assert [record["faces/seed"] for record in records] == [face.seed for face in faces]
    labels = [record["faces/label"] for record in records]
    assert labels == [str(face.label).encode() for face in faces]


def test_every_shard_is_named_with_its_checksum(whole: Path) -> None:
    content = json.loads((whole / "croissant.json").read_text(encoding="utf-8"))
    noted = dict(
        reversed(line.split("  ", 1)) for line in (whole / "checksums.sha256").read_text().splitlines()
    )
    told = {each["contentUrl"]: each["sha256"] for each in content["distribution"] if "sha256" in each}
    shards = {name for name in noted if name.endswith((".parquet", ".tar", ".zip"))}
    assert len(shards) == 5 + 5 + 1
    assert shards <= told.keys()
    assert told == {name: noted[name] for name in told}


def test_responsible_ai_fields_count_classes_and_tones(whole: Path) -> None:
    content = json.loads((whole / "croissant.json").read_text(encoding="utf-8"))
    assert "10 mild" in content["rai:dataBiases"][0]
    assert content["rai:dataBiases"][1] == "Skin tones: 8 light, 8 medium, 7 dark, 7 not measured."
    assert "evidence.html" in content["rai:personalSensitiveInformation"][0]


def test_shards_of_a_set_in_tars_alone_are_described_too(faces: FaceSet, tmp_path: Path) -> None:
    release = write_release(tmp_path / "export", faces, formats=("webdataset",), shard_mb=SHARD_MB)
    content = json.loads((release / "croissant.json").read_text(encoding="utf-8"))
    assert (len(content["distribution"]), content["recordSet"]) == (5, [])
    assert mlcroissant.Dataset(jsonld=str(release / "croissant.json")).metadata.ctx.issues.errors == set()
