from __future__ import annotations

import csv
import json

import pytest

from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.ffhq import find, read_metadata
from anonderm.ingest.sources.layouts import recognise


def entry(number: int, folder: str = "images1024x1024/00000") -> dict:
    return {
        "category": "validation" if number % 3 == 0 else "training",
        "metadata": {
            "photo_url": f"https://www.flickr.com/photos/x/{number}/",
            "photo_title": "DSCF0899.JPG",
            "author": f"Author {number}",
            "country": "",
            "license": "Attribution License" if number % 2 else "Public Domain Mark",
            "license_url": "https://creativecommons.org/licenses/by/2.0/",
        },
        "image": {
            "file_path": f"{folder}/{number:05d}.png",
            "pixel_size": [1024, 1024],
            "face_landmarks": [[1.5, 2.5]] * 68,
        },
        "thumbnail": {"file_path": f"thumbnails128x128/00000/{number:05d}.png"},
        "in_the_wild": {"file_path": f"in-the-wild-images/00000/{number:05d}.png", "face_quad": [1, 2]},
    }


@pytest.fixture
def ffhq(tmp_path, draw):
    root = tmp_path / "ffhq"
    for number in range(6):
        draw(root / "images1024x1024" / "00000" / f"{number:05d}.png", number)
        draw(root / "thumbnails128x128" / "00000" / f"{number:05d}.png", 100 + number)
    (root / "images1024x1024" / "LICENSE.txt").write_text("licence")
    (root / "ffhq-dataset-v2.json").write_text(json.dumps({str(n): entry(n) for n in range(6)}))
    return root


def test_each_photo_has_its_own_licence_author_and_split(ffhq, ingest):
    assert recognise(IngestConfig(ffhq))[0] == "ffhq"
    done = ingest(ffhq, "--label", "healthy", "--splits", "given")
    assert len(done.faces) == 6
    face = done.face("images1024x1024/00000/00001.png")
    assert face.licence.startswith("Attribution License (https://creativecommons.org/licenses/by/2.0/)")
    assert "CC BY-NC-SA 4.0" in face.licence
    assert face.split == "train"
    assert done.face("images1024x1024/00000/00003.png").split == "val"
    credits = {row["id"]: row["credit"] for row in csv.DictReader((done.folder / "credits.csv").open())}
    assert credits[face.id] == "Author 1 https://www.flickr.com/photos/x/1/"


def test_without_metadata_the_set_s_own_licence_is_kept(ffhq, ingest):
    (ffhq / "ffhq-dataset-v2.json").unlink()
    assert ingest(ffhq, "--label", "healthy").faces.licence == "FFHQ: CC BY-NC-SA 4.0, NVIDIA Corporation"


def test_a_part_of_the_set_is_taken_and_the_rest_counted(ffhq, draw):
    content = {str(n): entry(n) for n in range(1, 50)}
    (ffhq / "ffhq-dataset-v2.json").write_text(json.dumps(content))
    found = find(IngestConfig(ffhq))
    assert len(found.photos) == 5
    assert {(item.file, item.reason) for item in found.skipped} == {
        ("images1024x1024/00000/00000.png", "not in ffhq-dataset-v2.json, so its licence is unknown"),
        ("ffhq-dataset-v2.json", "44 of the photos that it names do not exist"),
    }


def test_the_paths_of_version_1_have_no_folder_a_thousand(ffhq):
    (ffhq / "ffhq-dataset-v2.json").unlink()
    content = {str(n): entry(n, "images1024x1024") for n in range(6)}
    (ffhq / "ffhq-dataset-v1.json").write_text(json.dumps(content))
    assert [photo.credit[:8] for photo in find(IngestConfig(ffhq)).photos] == [
        f"Author {n}" for n in range(6)
    ]


def test_landmarks_are_dropped_while_reading(ffhq):
    assert set(read_metadata(ffhq / "ffhq-dataset-v2.json")["0"]["image"]) == {"file_path"}


@pytest.mark.parametrize("text", ["", "[]", '{"0": 3}'])
def test_broken_metadata_are_named(ffhq, text):
    (ffhq / "ffhq-dataset-v2.json").write_text(text)
    with pytest.raises(InputError, match=r"ffhq-dataset-v2\.json"):
        find(IngestConfig(ffhq))


def entries(count: int) -> str:
    return json.dumps({str(n): entry(n) for n in range(count)})


@pytest.mark.parametrize(
    ("photo", "metadata"),
    [
        ("{}.png", "ffhq-dataset-v2.json"),
        ("{}.jpg", "ffhq-dataset-v2.json"),
        ("faces/{}.png", "ffhq-dataset-v2.json"),
        ("thumbnails128x128/{}.png", "ffhq-dataset-v2.json"),
        ("images256x256/00000/{}.png", "json/ffhq-dataset-v2.json"),
        ("ffhq/thumbnails128x128/00000/{}.png", "ffhq/ffhq-dataset-v2.json"),
    ],
)
def test_photos_anywhere_have_their_own_licence(tmp_path, draw, photo, metadata):
    root = tmp_path / "set"
    for n in range(4):
        draw(root / photo.format(f"{n:05d}"), n)
    (root / metadata).parent.mkdir(parents=True, exist_ok=True)
    (root / metadata).write_text(entries(4))
    assert recognise(IngestConfig(root))[0] == "ffhq"
    found = find(IngestConfig(root)).photos
    assert [each.licence.partition(" (")[0] for each in found] == [
        "Public Domain Mark",
        "Attribution License",
    ] * 2
    assert [each.split for each in found] == ["val", "train", "train", "val"]


def test_only_one_of_the_sizes_is_read_and_each_photo_is_its_own(ffhq):
    found = find(IngestConfig(ffhq)).photos
    assert [(each.name, each.credit[:8]) for each in found] == [
        (f"images1024x1024/00000/{n:05d}.png", f"Author {n}") for n in range(6)
    ]
