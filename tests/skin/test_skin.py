"""The stages skin and mask-and-crop: masks of the photo's own size, nothing lost in silence."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.models.skin_segmenter.test_bisenet import published_state
from tests.skin.conftest import disc, make_faces, photo

from anonderm.core.affine import map_points
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BrokenArtefact, ConfigError, InputError, MissingPath, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image
from anonderm.core.records import Face, Lesion
from anonderm.core.results.skin import SkinTones
from anonderm.core.rundir import RunDir
from anonderm.models.skin_segmenter.segment import Segmenter, tidied
from anonderm.skin import skin as stage
from anonderm.skin.config import MaskAndCropConfig, SkinConfig
from anonderm.skin.mask_and_crop import box_around, cut_out, mask_and_crop
from anonderm.skin.skin import segment_skin

DEFAULT, CROP = SkinConfig(), MaskAndCropConfig()


class Bright(torch.nn.Module):
    """Calls skin what is brighter than the middle, at an eighth of the resolution as BiSeNet does."""

    def __init__(self) -> None:
        super().__init__()
        self.anywhere = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x_NCHW):
        small = torch.nn.functional.avg_pool2d(x_NCHW.mean(1, keepdim=True), 8)
        wide = torch.nn.functional.interpolate(small, x_NCHW.shape[2:], mode="bilinear", align_corners=True)
        return torch.cat([-wide, wide + 0.3], dim=1)


@pytest.fixture
def bright(monkeypatch):
    monkeypatch.setattr(stage, "_segmenter", lambda *_: Segmenter(Bright(), 128, (1,)))


def run_skin(faces: FaceSet, folder, config: SkinConfig = DEFAULT, network=None) -> FaceSet:
    with RunDir.open(folder, "skin", config, {}) as run:
        return segment_skin(config, faces, run, network)


def run_crop(faces: FaceSet, folder, config: MaskAndCropConfig = CROP) -> FaceSet:
    with RunDir.open(folder, "mask-and-crop", config, {}) as run:
        return mask_and_crop(config, faces, run)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture
def whole_photos(tmp_path) -> FaceSet:
    """A large upright photo, a wide one, and a JPEG that its EXIF turns; files kept as they are."""
    writer = FaceSetWriter(tmp_path / "photos")
    for index, (height, width) in enumerate(((900, 600), (300, 700), (400, 300))):
        image = photo(disc(height, width, 0.3), index)
        data, exif = io.BytesIO(), Image.Exif()
        if index == 2:
            exif[0x0112] = 6
        Image.fromarray(image).save(data, "JPEG", quality=95, exif=exif)
        writer.add_photo(data.getvalue(), ".jpg", Face(f"photo-{index}", label="mild", split="train"))
    return writer.finish()


def test_masks_have_the_size_of_their_photo(whole_photos, tmp_path, bright):
    found = run_skin(whole_photos, tmp_path / "run")
    for face, source in zip(found, whole_photos, strict=True):
        image = found.image(face)
        assert found.mask(face).shape == image.shape[:2]
        assert (found.folder / face.file).read_bytes() == (whole_photos.folder / source.file).read_bytes()
        assert dice(found.mask(face), disc(*image.shape[:2], 0.3)) > 0.9
        assert face.ita is not None
    assert found.image(found.faces[2]).shape == (300, 400, 3)
    for picture in ("overlay.png", "tone.png"):
        assert read_image(tmp_path / "run" / picture).std() > 0


def test_a_face_without_skin_is_kept_with_a_reason_or_put_aside(faces, tmp_path, bright):
    (faces.folder / "images" / "train-1.png").unlink()
    Image.fromarray(np.full((64, 64, 3), 20, np.uint8)).save(faces.folder / "images" / "train-1.png")
    kept = run_skin(faces, tmp_path / "kept")
    assert len(kept) == len(faces)
    assert [face.id for face in kept if face.reason] == ["train-1"]
    skipping = run_skin(faces, tmp_path / "skipped", SkinConfig(fallback="skip"))
    assert len(skipping) == len(faces) - 1
    aside = FaceSet.load(tmp_path / "skipped" / "rejected")
    assert [(face.id, face.reason) for face in aside] == [("train-1", "little skin: 0.00% of the photo")]
    for run in ("kept", "skipped"):
        listed = SkinTones.load(tmp_path / run / "results.json").little_skin
        assert list(listed) == ["train-1"]


def test_the_distribution_counts_every_face_once(faces, tmp_path, bright):
    found = run_skin(faces, tmp_path / "run")
    tones = SkinTones.load(tmp_path / "run" / "results.json")
    for counts in (tones.fitzpatrick, tones.monk):
        assert sum(counts["healthy"].values()) == len(found)
    assert tones.ita["healthy"].n == len(found)
    assert "calibrated" in tones.ita["healthy"].note


def test_known_masks_and_tones_are_kept_and_compared(tmp_path):
    writer = FaceSetWriter(tmp_path / "known")
    for index in range(12):
        mask = disc(48, 48, 0.3)
        face = Face(f"face-{index:02d}", label="mild", ita=60.0 - 5 * index)
        writer.add(photo(mask, index, (240 - 12 * index, 190 - 12 * index, 160 - 11 * index)), face, mask)
    faces = writer.finish()
    found = run_skin(faces, tmp_path / "run", SkinConfig(keep_masks=True))
    assert all((found.mask(face) == disc(48, 48, 0.3)).all() for face in found)
    tones = SkinTones.load(tmp_path / "run" / "results.json")
    assert tones.rank_correlation is not None
    assert tones.rank_correlation.value > 0.95
    assert tones.rank_correlation.n == 12


def test_a_stopped_run_continues_with_the_missing_faces(faces, tmp_path, bright, monkeypatch):
    inputs = []
    real = Segmenter.mask

    def stop_at_the_fifth(self, image):
        inputs.append(image)
        if len(inputs) == 5:
            raise KeyboardInterrupt
        return real(self, image)

    monkeypatch.setattr(Segmenter, "mask", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        run_skin(faces, tmp_path / "run")
    resumed = run_skin(faces, tmp_path / "run")
    assert len(inputs) == len(faces) + 1
    assert resumed.faces == run_skin(faces, tmp_path / "whole").faces


def test_the_community_s_weights_serve_as_they_are_published(faces, tmp_path):
    torch.save(published_state(), tmp_path / "79999_iter.pth")
    config = SkinConfig(weights=str(tmp_path / "79999_iter.pth"), size=64, min_skin=0)
    one = FaceSet(faces.folder, faces.faces[:1])
    found = run_skin(one, tmp_path / "run", config)
    assert found.mask(found.faces[0]).shape == (64, 64)
    assert "79999_iter.pth" in (tmp_path / "run" / "log.txt").read_text()


def test_wrong_weights_are_refused(faces, tmp_path):
    with pytest.raises(MissingPath, match=r"gone\.pth"):
        run_skin(faces, tmp_path / "gone", SkinConfig(weights=str(tmp_path / "gone.pth")))
    (tmp_path / "torn.pth").write_bytes(b"torn")
    with pytest.raises(BrokenArtefact, match=r"torn\.pth"):
        run_skin(faces, tmp_path / "torn", SkinConfig(weights=str(tmp_path / "torn.pth")))
    both = Checkpoint(tmp_path / "a.safetensors", None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="Both"):
        run_skin(faces, tmp_path / "both", SkinConfig(weights="face-parsing"), both)


def test_specks_are_left_out_and_halves_of_a_face_stay():
    mask = np.zeros((60, 60), bool)
    mask[5:40, 5:20] = mask[5:40, 30:45] = True
    assert (tidied(mask) == mask).all()
    with_speck = mask.copy()
    with_speck[55:58, 55:58] = True
    assert (tidied(with_speck) == mask).all()
    assert not tidied(np.zeros((9, 9), bool)).any()


def test_what_is_cut_out_is_the_skin_at_its_own_resolution(whole_photos, tmp_path, bright):
    found = run_skin(whole_photos, tmp_path / "run")
    cut = run_crop(found, tmp_path / "cut")
    for face, source in zip(cut, found, strict=True):
        image, mask = cut.image(face), cut.mask(face)
        whole, truth = found.image(source), found.mask(source)
        left, top, right, bottom = box_around(truth)
        assert image.shape[:2] == (bottom - top, right - left) == mask.shape
        assert (image[mask] == whole[truth]).all()
        assert not image[~mask].any()
        assert mask.any(axis=1).all()
        assert mask.any(axis=0).all()
        assert face.framing == "skin"


def test_lesions_follow_the_crop(tmp_path):
    mask = disc(100, 80, 0.3)
    writer = FaceSetWriter(tmp_path / "faces")
    spot = Lesion("papule", 38.0, 48.0, 42.0, 52.0)
    outside = Lesion("papule", 0.0, 0.0, 4.0, 4.0)
    image = photo(mask, 0)
    image[48:52, 38:42] = (200, 30, 30)
    writer.add(image, Face("one", lesions=(spot, outside)), mask)
    faces = writer.finish()
    for config in (MaskAndCropConfig(), MaskAndCropConfig(size=96)):
        cut = run_crop(faces, tmp_path / str(config.size), config)
        (moved,) = cut.faces[0].lesions
        inside = cut.image(cut.faces[0])[round(moved.y0) : round(moved.y1), round(moved.x0) : round(moved.x1)]
        assert np.median(inside[:, :, 1]) < 60
        assert "1 lesion boxes" in (tmp_path / str(config.size) / "log.txt").read_text()
    assert cut.pixels().shape == (1, 96, 96, 3)


def test_too_little_skin_is_put_aside_or_kept_whole(tmp_path):
    writer = FaceSetWriter(tmp_path / "faces")
    for name, radius in (("much", 0.3), ("little", 0.02)):
        mask = disc(64, 64, radius)
        writer.add(photo(disc(64, 64, 0.3), 0), Face(name, label="mild"), mask)
    faces = writer.finish()
    cut = run_crop(faces, tmp_path / "skip")
    assert [face.id for face in cut] == ["much"]
    assert [face.id for face in FaceSet.load(tmp_path / "skip" / "rejected")] == ["little"]
    kept = run_crop(faces, tmp_path / "keep", MaskAndCropConfig(fallback="keep"))
    little = next(face for face in kept if face.id == "little")
    assert (kept.image(little) == faces.image(faces.where(ids={"little"}).faces[0])).all()
    assert little.reason is not None
    assert little.reason.startswith("little skin")
    with pytest.raises(TooFewImages, match="none of 1"):
        run_crop(faces.where(ids={"little"}), tmp_path / "none")


def test_faces_without_masks_are_named(tmp_path):
    faces = make_faces(tmp_path / "faces")
    bare = FaceSet(faces.folder, tuple(dataclasses.replace(face, mask=None) for face in faces))
    with pytest.raises(InputError, match="12 of 12 faces have no skin mask, such as test-0"):
        run_crop(bare, tmp_path / "run")


@settings(max_examples=30)
@given(st.integers(0, 30), st.integers(0, 20), st.integers(1, 30), st.integers(1, 20), st.integers(8, 64))
def test_a_square_holds_the_whole_box_in_its_middle(left, top, width, height, size):
    picture = np.zeros((40, 60), np.uint8)
    box = (left, top, left + width, top + height)
    picture[top : top + height, left : left + width] = 255
    square, affine = cut_out(picture, box, size)
    assert square.shape == (size, size)
    corners = map_points(np.array([[left, top], [left + width, top + height]], float), affine)
    assert corners.min() >= -1e-9
    assert corners.max() <= size + 1e-9
    scale = size / max(width, height)
    assert np.ptp(corners, axis=0) == pytest.approx([width * scale, height * scale])
    assert square.sum() / 255 == pytest.approx(width * height * scale**2, rel=0.25, abs=size)
