"""A release contains nothing about the people behind it: every byte of every unpacked file is searched."""

from __future__ import annotations

import io
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_audit import audited
from made_up_line import CLASSES, draw_face, photos
from made_up_release import SHARD_MB, unpacked, write_release
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face, Lesion
from anonderm.core.results.audit import AuditResult, Pair
from anonderm.core.results.base import LeftOut, Score
from anonderm.core.results.skin import SkinTones

# A subject id, a file name, a photo's id, a user, a camera and its owner, a place.
SECRETS = ("person-00", "IMG_4711", "Jane-Doe", "jane-doe", "NIKON-COOLPIX", "Ward-7-Lisbon", "case-0815")
FORMATS = ("imagefolder", "parquet", "webdataset", "stylegan", "coco")


def photo_like(image_HWC: np.ndarray) -> bytes:
    """A PNG as a camera and a careless program leave it: EXIF with maker, owner and GPS, and a text."""
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x010F], exif[0x013B], exif[0x9C9B] = "NIKON-COOLPIX", "Jane-Doe", "IMG_4711".encode("utf-16-le")
    exif[0x8825] = {1: "N", 2: (38.0, 43.0, 12.75), 3: "W", 4: (9.0, 8.0, 21.5), 28: "Ward-7-Lisbon"}
    text = PngInfo()
    text.add_text("Comment", "case-0815")
    Image.fromarray(image_HWC).save(buffer, "PNG", exif=exif, pnginfo=text)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    return photos(tmp_path_factory.mktemp("photos"), draw_face)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Everything inside a release that was made as carelessly as the stages allow."""
    home = tmp_path_factory.mktemp("home") / "jane-doe"
    generator = careless_generator(home)
    faces = careless_faces(home / "faces", generator.digest)
    audit = careless_audit(faces, home)
    note = f"weights of {home}/IMG_4711/resnet.pt"
    scores = (SkinTones({"mild": Score(0.8, note=note)}, None, None, {}, {}, 0, {}),)
    settings: dict[str, Any] = {"formats": FORMATS, "shard_mb": SHARD_MB}
    return unpacked(write_release(home / "export", faces, audit, scores, (generator,), **settings))


def careless_generator(home: Path) -> Checkpoint:
    command = f"anonderm train-gan --faces {home}/Jane-Doe/photos"
    notes = {"trained_on": "real", "faces": 12, "source": f"{home}/IMG_4711.jpg", "people": ["person-00001"]}
    card = CheckpointCard("gan", {}, 32, data_digest="ab" * 32, command=command, notes=notes)
    return Checkpoint.save(home / "case-0815.safetensors", {"w": torch.zeros(1)}, card)


def careless_faces(folder: Path, generator: str) -> FaceSet:
    rng, writer = np.random.default_rng(7), FaceSetWriter(folder)
    for index in range(12):
        label = CLASSES[index % 3]
        face = Face(
            f"{label}-{index:05d}",
            label=label,
            licence="CC-BY-4.0",
            checkpoint=generator,
            seed=index,
            source=f"{folder}/IMG_4711.jpg",
            reason="near Jane-Doe-001",
            lesions=(Lesion("papule", 1, 1, 5, 5),),
            restorer="case-0815",
        )
        writer.add_photo(photo_like(draw_face(label, rng)), ".png", face)
    return writer.finish()


def careless_audit(faces: FaceSet, home: Path) -> AuditResult:
    """With its worst cases, whose pictures show training photos, and with paths in its texts."""
    audit = audited(faces)
    worst = Pair(0, 0, 0.1, "Jane-Doe-001", "mild-00001", "pairs/person-00001.png")
    attacks = tuple(replace(each, worst=(worst,)) for each in audit.attacks)
    left_out = (LeftOut("arcface", f"no file {home}/IMG_4711.onnx"),)
    return replace(audit, attacks=attacks, left_out=left_out)


def forms(secret: str) -> tuple[bytes, ...]:
    return (secret.encode(), secret.lower().encode(), secret.encode("utf-16-le"), secret.encode("utf-16-be"))


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_anywhere_in_a_release(released: dict[str, bytes], secret: str) -> None:
    for name, data in released.items():
        assert secret.lower() not in name.lower(), name
        assert not any(form in data or form in data.lower() for form in forms(secret)), name


def test_the_search_would_find_every_secret(tmp_path: Path) -> None:
    """The same search over the set that the release was made from finds every secret."""
    generator = careless_generator(tmp_path / "jane-doe")
    faces = careless_faces(tmp_path / "jane-doe" / "faces", generator.digest)
    files = [path.read_bytes() for path in faces.folder.parent.rglob("*") if path.is_file()]
    everything = b"".join([*files, *(repr(face).encode() for face in faces), str(faces.folder).encode()])
    names = b"".join(path.name.encode() for path in faces.folder.parent.rglob("*"))
    for secret in SECRETS:
        assert any(form in everything + names for form in forms(secret)), secret


def test_no_machine_user_or_folder_is_named(released: dict[str, bytes], tmp_path: Path) -> None:
    named = [platform.node(), str(Path.home()), str(tmp_path.parent.parent), str(Path(__file__).parents[3])]
    for name, data in released.items():
        for secret in (each for each in named if len(each) > 5):
            assert secret.encode() not in data, (name, secret)


def test_no_released_picture_carries_a_position_or_a_camera(released: dict[str, bytes]) -> None:
    pictures = [data for data in released.values() if data.startswith(b"\x89PNG")]
    assert len(pictures) == 4 * 12
    for data in pictures:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            assert len(image.getexif()) == 0


def pixels(data: bytes) -> bytes:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).tobytes()


def test_no_released_picture_has_the_pixels_of_a_photo(released: dict[str, bytes], training: FaceSet) -> None:
    """Nor mirrored; and the faces are what was released, so that the comparison means something."""
    real = {training.image(face).tobytes() for face in training}
    real |= {np.ascontiguousarray(training.image(face)[:, ::-1]).tobytes() for face in training}
    found = {pixels(data) for data in released.values() if data.startswith(b"\x89PNG")}
    assert len(found) == 12
    assert not found & real


def test_a_photo_that_poses_as_a_synthetic_face_is_refused_by_its_row(
    training: FaceSet, tmp_path: Path
) -> None:
    """A photo's row names its person and split; a forged row would pass, but the audit compares pixels."""
    posing = tuple(replace(face, checkpoint="ab" * 32, seed=1) for face in training)
    with pytest.raises(InputError, match="belongs to a person"):
        write_release(tmp_path / "export", FaceSet(training.folder, posing))
