from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from anonderm.core.errors import UnreadableImage
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.celebamask import find
from anonderm.ingest.sources.layouts import recognise
from anonderm.ingest.sources.photo import File, Photo

# number here, number in CelebA: of train, val and test
NUMBERS = {0: 119613, 1: 99094, 2: 170000, 17: 162771, 2001: 182638, 2002: 200000}


@pytest.fixture
def celebamask(tmp_path, draw):
    """Photos of 64 px with masks of 32 px, as the published ones are of 1024 and 512."""
    root = tmp_path / "CelebAMask-HQ"
    for number in NUMBERS:
        draw(root / "CelebA-HQ-img" / f"{number}.jpg", number, width=64, height=64)
        folder = root / "CelebAMask-HQ-mask-anno" / str(number // 2000)
        folder.mkdir(parents=True, exist_ok=True)
        for part, rows in {"skin": slice(8, 16), "nose": slice(16, 20), "hair": slice(0, 8)}.items():
            mask_HW = np.zeros((32, 32), np.uint8)
            mask_HW[rows, 4:28] = 255
            Image.fromarray(mask_HW).convert("RGB").save(folder / f"{number:05d}_{part}.png")
    lines = [f"{number}\t\t{original}\t\t{original + 1:06d}.jpg" for number, original in NUMBERS.items()]
    mapping = "idx\t\torig_idx\torig_file\n" + "\n".join(lines) + "\n"
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text(mapping)
    return root


def test_skin_and_nose_become_one_mask_of_the_size_of_the_photo(celebamask, ingest):
    assert recognise(IngestConfig(celebamask))[0] == "celebamask-hq"
    done = ingest(celebamask, "--label", "healthy", "--splits", "given", "--whole")
    face = done.face("CelebA-HQ-img/2001.jpg")
    mask_HW = done.faces.mask(face)
    expected_HW = np.zeros((64, 64), bool)
    expected_HW[16:40, 8:56] = True
    np.testing.assert_array_equal(mask_HW, expected_HW)
    assert "non-commercial" in face.licence
    assert [done.face(f"CelebA-HQ-img/{n}.jpg").split for n in NUMBERS] == [
        *("train", "train", "val"),
        *("val", "test", "test"),
    ]


def test_masks_follow_the_resizing(celebamask, ingest):
    done = ingest(celebamask, "--label", "healthy")
    mask_HW = done.faces.mask(done.faces.faces[0])
    expected_HW = np.zeros((16, 16), bool)
    expected_HW[4:10, 2:14] = True
    np.testing.assert_array_equal(mask_HW, expected_HW)


def test_people_are_known_if_the_identities_are_present(celebamask, ingest):
    lines = [f"{original + 1:06d}.jpg {7 if number < 2 else number}" for number, original in NUMBERS.items()]
    (celebamask / "identity_CelebA.txt").write_text("\n".join(lines))
    done = ingest(celebamask, "--label", "healthy")
    people = {number: done.face(f"CelebA-HQ-img/{number}.jpg").subject for number in NUMBERS}
    assert people[0] == people[1]
    assert len(set(people.values())) == 5


def test_photos_and_masks_without_each_other_are_listed(celebamask, draw):
    draw(celebamask / "CelebA-HQ-img" / "29999.jpg", 5)
    draw(celebamask / "CelebA-HQ-img" / "cover.jpg", 6)
    (celebamask / "CelebA-HQ-img" / "17.jpg").unlink()
    found = find(IngestConfig(celebamask))
    assert len(found.photos) == 5
    assert {(item.file, item.reason) for item in found.skipped} == {
        ("CelebA-HQ-img/29999.jpg", "no mask of its skin"),
        ("CelebA-HQ-img/cover.jpg", "no mask of its skin"),
        ("CelebAMask-HQ-mask-anno/0/00017_skin.png", "a mask without its photo"),
    }


def test_a_mask_that_cannot_be_read_is_named(celebamask, tmp_path):
    from anonderm.cli import main

    (celebamask / "CelebAMask-HQ-mask-anno" / "0" / "00000_nose.png").write_bytes(b"no image")
    line = ["ingest", "--source", str(celebamask), "--label", "healthy", "--out", str(tmp_path / "run")]
    assert main([*line, "--min-side", "16"]) == 2


def test_parts_of_two_sizes_are_refused(tmp_path, draw):
    parts = (draw(tmp_path / "a.png", 0), draw(tmp_path / "b.png", 1, width=41))
    with pytest.raises(UnreadableImage, match="its size differs"):
        Photo("a", File(parts[0]), masks=parts).mask_HW()


def test_masks_may_lie_in_one_folder_and_the_set_in_another(celebamask):
    masks = celebamask / "CelebAMask-HQ-mask-anno"
    before = [photo.mask_HW().sum() for photo in find(IngestConfig(celebamask)).photos]
    for file in sorted(masks.rglob("*.png")):
        file.rename(masks / file.name)
    name, source = recognise(IngestConfig(celebamask.parent))
    assert (name, source) == ("celebamask-hq", celebamask)
    assert [photo.mask_HW().sum() for photo in find(IngestConfig(source)).photos] == before
