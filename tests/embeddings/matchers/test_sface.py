"""What surrounds SFace, with a random network of the published one's form."""

import numpy as np
import pytest

from anonderm.core import weights
from anonderm.core.errors import InputError, MissingExtra, MissingWeights
from anonderm.core.images import read_image, resize
from anonderm.embeddings.faces.detected import DetectedFace
from anonderm.embeddings.matchers import sface
from anonderm.embeddings.matchers.alignment import TEMPLATE_52
from anonderm.embeddings.matchers.sface import SFace, sface_matcher


def test_a_row_has_length_1_and_comes_from_red_green_blue_from_0_to_255(sface_network):
    face = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    small_77C = face.astype(float).reshape(7, 16, 7, 16, 3).mean(axis=(1, 3))
    expected = sface_network.dense @ small_77C.transpose(2, 0, 1).ravel()
    row = SFace(sface_network.path).describe_cut(face)
    assert row == pytest.approx(expected / np.linalg.norm(expected), abs=1e-4)


def test_a_file_that_is_no_network_is_an_error_that_names_it(tmp_path):
    (tmp_path / "sface.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"sface\.onnx"):
        SFace(tmp_path / "sface.onnx")


class OneFace:
    """Finds one face, in the middle of every picture but a black one."""

    def find(self, photo_HWC):
        if not photo_HWC.any():
            return []
        five_52 = TEMPLATE_52 + 20.5
        return [DetectedFace("yunet", (0, 0, 1, 1), 0.9, True, five_52[[0, 1, 2]], five_52, five_52)]


@pytest.fixture
def installed(sface_network, monkeypatch):
    """SFace and a detector, as if fetched."""
    monkeypatch.setattr(weights, "locate", lambda name: sface_network.path)
    monkeypatch.setattr(sface, "detector", lambda parts: OneFace())
    monkeypatch.setattr(sface, "detector_digest", lambda: "0")


def test_the_matcher_describes_the_face_that_the_detector_found(installed, sface_network):
    matcher = sface_matcher()
    assert (matcher.name, matcher.width, matcher.published) == ("sface", 32, 1.128)
    photo = resize(np.random.default_rng(3).integers(0, 256, (9, 9, 3), np.uint8), 160)
    describe = matcher.start()
    row, found_by = describe(photo)
    assert found_by == "yunet"
    assert row == pytest.approx(SFace(sface_network.path).describe_cut(photo[20:132, 20:132]), abs=1e-3)
    assert describe(np.zeros((160, 160, 3), np.uint8)) is None


def test_the_published_distance_is_the_published_cosine():
    assert pytest.approx((2 - 2 * 0.363) ** 0.5, abs=1e-3) == sface.PUBLISHED


def test_another_detector_describes_again(installed, monkeypatch):
    one = sface_matcher().digest
    monkeypatch.setattr(sface, "detector_digest", lambda: "1")
    assert sface_matcher().digest != one


def test_the_published_network_recognises_one_person_and_separates_two(shared_data):
    try:
        matcher = sface_matcher()
    except (MissingExtra, MissingWeights) as error:
        pytest.skip(f"needs the weights sface and a detector: {error}")
    describe = matcher.start()
    names = ("001_neutral", "001_smiling", "002_neutral")
    one, same, other = (describe(read_image(shared_data / "pairs" / f"{name}.jpg"))[0] for name in names)
    assert np.linalg.norm(one - same) < matcher.published < np.linalg.norm(one - other)
