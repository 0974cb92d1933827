"""The stage, with a finder of coloured dots in place of dlib."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anonderm.core.affine import map_points
from anonderm.core.errors import ConfigChanged, ConfigError, MissingExtra, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import read_json_lines
from anonderm.core.images import read_image
from anonderm.core.records import Face, Lesion
from anonderm.ingest.align import cutter
from anonderm.ingest.align.framing import FacePoints, ffhq_square
from anonderm.ingest.align.point_file import read_points, row_of
from anonderm.ingest.config import AlignConfig
from anonderm.stages import STAGES, run_stage

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))  # left eye, right eye, mouth


def find_dots(photo_HWC):
    """A face for every red dot, with the n-th green and blue ones; the largest first."""
    dots = [np.argwhere((photo_HWC == colour).all(axis=2))[:, ::-1] + 0.5 for colour in COLOURS]
    faces = [FacePoints(*(tuple(map(float, point)) for point in face)) for face in zip(*dots, strict=True)]
    return sorted(faces, key=lambda points: -ffhq_square(points).side)


@pytest.fixture(autouse=True)
def dots(monkeypatch):
    monkeypatch.setattr(cutter, "landmarker", lambda name, model, every: find_dots)


def draw(photo_HWC, points):
    for (x, y), colour in zip(points.points_32, COLOURS, strict=True):
        photo_HWC[int(y), int(x)] = colour


def face_at(x, y, between):
    """Eyes around (x, y), in the centres of pixels."""
    return FacePoints((x - between / 2, y), (x + between / 2, y), (x, y + between))


FRONT = face_at(120.5, 90.5, 40)
SMALL = face_at(40.5, 40.5, 20)
PROFILE = FacePoints((100.5, 90.5), (110.5, 90.5), (104.5, 130.5))
PHOTOS = {
    "mild-0": (FRONT,),
    "mild-1": (SMALL, FRONT),
    "mild-2": (),
    "severe-0": (PROFILE,),
    "severe-1": (FRONT,),
}


@pytest.fixture
def photos(tmp_path):
    writer = FaceSetWriter(tmp_path / "ingest" / "faces")
    for index, (id, faces) in enumerate(PHOTOS.items()):
        photo_HWC = np.full((200, 260, 3), 60 + index, np.uint8)
        for points in faces:
            draw(photo_HWC, points)
        mask_HW = np.zeros((200, 260), bool)
        mask_HW[80:120, 100:140] = True
        boxes = (Lesion("papule", 110, 80, 120, 90), Lesion("papule", 0, 190, 8, 200))
        face = Face(id, label=id[:-2], subject=f"p{index}", split="train", lesions=boxes)
        writer.add(photo_HWC, face, mask_HW)
    (tmp_path / "ingest" / "sources.csv").write_text(
        "id,subject,person,file\n" + "".join(f"{id},p,p,{id[:-2]}/{id}.jpg\n" for id in PHOTOS)
    )
    return writer.finish()


def run_align(photos, out, **settings):
    record = run_stage(STAGES["align"], AlignConfig(size=64, **settings), {"faces": photos.folder}, out)
    assert record.done
    return FaceSet.load(out / "faces")


def framings(faces):
    return {face.id: face.framing for face in faces}


def test_eyes_and_mouth_are_at_the_positions_of_ffhq(photos, tmp_path):
    faces = run_align(photos, tmp_path / "run")
    pixels = faces.image(faces.where(ids={"mild-0"}).faces[0])
    expected = map_points(FRONT.points_32, ffhq_square(FRONT).onto(64))
    for (x, y), channel in zip(expected, range(3), strict=True):
        brightest = np.argwhere(pixels[:, :, channel] == pixels[:, :, channel].max())[0]
        assert np.abs(brightest[::-1] + 0.5 - (x, y)).max() <= 1


@pytest.mark.parametrize(("fallback", "framing"), [("center", "center"), ("keep", "keep"), ("skip", None)])
def test_photos_without_a_face_are_listed_and_treated_by_the_chosen_fallback(
    photos, tmp_path, fallback, framing
):
    faces = run_align(photos, tmp_path / "run", fallback=fallback)
    expected = {"mild-0": "ffhq", "mild-1": "ffhq", "severe-1": "ffhq"}
    assert framings(faces) == expected | ({"mild-2": framing, "severe-0": framing} if framing else {})
    assert {face.id: (face.label, face.subject) for face in faces} == {
        id: (id[:-2], f"p{index}") for index, id in enumerate(PHOTOS) if framing or id in expected
    }
    rows = read_json_lines(tmp_path / "run" / "unaligned.jsonl")
    assert {row["photo"]: row["reason"] for row in rows} == {
        "mild-2": "no face found",
        "severe-0": "seen from the side",
    }
    assert read_image(tmp_path / "run" / "aligned.png").std() > 10


def test_all_faces_of_a_photo_are_taken_on_request(photos, tmp_path):
    faces = run_align(photos, tmp_path / "run", several="all")
    extra = next(face for face in faces if face.id == "mild-1-2")
    assert (extra.label, extra.subject, extra.split) == ("mild", None, "train")
    assert len(faces) == 6


def test_types_without_boxes_may_be_on_any_of_several_faces(photos, tmp_path):
    writer = FaceSetWriter(tmp_path / "typed" / "faces")
    for face in photos:
        writer.add_from(photos, replace(face, lesions=None, lesion_types=("papule",)))
    faces = run_align(writer.finish(), tmp_path / "run", several="all")
    types = {face.id: face.lesion_types for face in faces}
    assert (types["mild-0"], types["mild-1"], types["mild-1-2"]) == (("papule",), None, None)


def test_boxes_and_masks_follow_and_lost_boxes_are_counted(photos, tmp_path, capsys):
    faces = run_align(photos, tmp_path / "run")
    face = faces.where(ids={"mild-0"}).faces[0]
    affine = ffhq_square(FRONT).onto(64)
    (lesion,) = face.lesions
    assert (lesion.x0, lesion.y0) == pytest.approx(map_points(np.array([[110.0, 80.0]]), affine)[0])
    expected = np.prod(np.array([40, 40]) * 64 / ffhq_square(FRONT).side)
    assert faces.mask(face).sum() == pytest.approx(expected, rel=0.1)
    assert "lesion boxes lie outside" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mild-2", "mild/mild-2.jpg"])
def test_points_set_by_hand_are_used_in_place_of_those_found(photos, tmp_path, name, capsys):
    path = tmp_path / "points.json"
    path.write_text(json.dumps([row_of(name, FRONT), row_of("nobody.jpg", FRONT)]))
    faces = run_align(photos, tmp_path / "run", points=path)
    assert framings(faces)["mild-2"] == "ffhq"
    assert "1 photos that are not in the set: nobody.jpg" in capsys.readouterr().err


def test_the_points_found_can_be_given_back(photos, tmp_path, monkeypatch):
    first = run_align(photos, tmp_path / "first", fallback="skip")
    assert read_points(tmp_path / "first" / "points.csv")["mild-0"] == (FRONT,)
    monkeypatch.setattr(cutter, "landmarker", lambda name, model, every: lambda photo: [])
    again = run_align(photos, tmp_path / "again", fallback="skip", points=tmp_path / "first" / "points.csv")
    assert [face.sha256 for face in again] == [face.sha256 for face in first]


def test_a_killed_run_resumes_to_the_same_faces(photos, tmp_path, monkeypatch):
    whole = run_align(photos, tmp_path / "whole")
    left, processed = iter(range(3)), []

    def killed_after_three(photo_HWC):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return find_dots(photo_HWC)

    monkeypatch.setattr(cutter, "landmarker", lambda name, model, every: killed_after_three)
    with pytest.raises(KeyboardInterrupt):
        run_align(photos, tmp_path / "cut")
    monkeypatch.setattr(
        cutter, "landmarker", lambda name, model, every: lambda photo: processed.append(0) or find_dots(photo)
    )
    assert run_align(photos, tmp_path / "cut").faces == whole.faces
    assert len(processed) == 2
    for name in ("points.csv", "unaligned.jsonl"):
        assert (tmp_path / "cut" / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_other_settings_in_the_same_run_folder_are_refused(photos, tmp_path):
    run_align(photos, tmp_path / "run")
    with pytest.raises(ConfigChanged):
        run_align(photos, tmp_path / "run", fallback="keep")


def test_no_face_at_all_is_an_error(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(cutter, "landmarker", lambda name, model, every: lambda photo: [])
    with pytest.raises(TooFewImages, match="None of the 5 photos"):
        run_align(photos, tmp_path / "run", fallback="skip")


def test_photos_all_marked_by_hand_need_no_finder(photos, tmp_path, monkeypatch):
    def missing(name, model, every):
        raise MissingExtra("dlib")

    monkeypatch.setattr(cutter, "landmarker", missing)
    path = tmp_path / "points.json"
    path.write_text(json.dumps([row_of(id, FRONT) for id in PHOTOS]))
    assert set(framings(run_align(photos, tmp_path / "run", points=path)).values()) == {"ffhq"}
    with pytest.raises(MissingExtra):
        run_align(photos, tmp_path / "other")


@pytest.mark.parametrize(
    "settings", [{"size": 4}, {"points": Path("points.xlsx")}, {"model": Path("net.pth")}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        AlignConfig(**settings)
