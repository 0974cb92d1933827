import numpy as np
import pytest

from anonderm.core import weights
from anonderm.core.errors import MissingExtra, MissingWeights
from anonderm.embeddings.faces import detectors
from anonderm.embeddings.faces.detected import DetectedFace, Found, Try, search
from anonderm.embeddings.faces.detectors import FirstThatFinds, detector, detector_digest, installed


class Finds:
    """Finds one face of this certainty; none where it is None."""

    def __init__(self, name, certain):
        self._name, self._certain = name, certain

    def find(self, photo_HWC):
        if self._certain is None:
            return []
        points = np.zeros((5, 2))
        return [DetectedFace(self._name, (0, 0, 1, 1), 0.0, self._certain, points[:3], points, points)]


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (True, True, "one"),
        (None, True, "two"),
        (False, True, "two"),
        (False, False, "one"),
        (None, None, None),
    ],
)
def test_the_second_detector_is_asked_where_the_first_has_no_certain_face(one, two, expected):
    found = FirstThatFinds([Finds("one", one), Finds("two", two)]).find(np.zeros((8, 8, 3), np.uint8))
    assert (found[0].detector if found else None) == expected


def test_the_search_ends_with_a_certain_face_and_otherwise_takes_the_best():
    asked = []

    def detect(picture_HWC, least):
        asked.append(picture_HWC.shape)
        score = {40: 0.3, 80: 0.5, 20: 0.4}[max(picture_HWC.shape)]
        return [Found(np.eye(5, 2), (0, 0, 4, 4), score)] if score >= least else []

    photo = np.zeros((40, 20, 3), np.uint8)
    tries = (Try(40, 0, 0.0), Try(80, 0, 0.0), Try(20, 1, 0.0))
    assert [face.score for face in search(photo, tries, 0.5, detect)] == [0.5]
    assert len(asked) == 2
    assert [face.score for face in search(photo, tries, 0.9, detect)] == [0.5]
    assert asked[-1] == (10, 20, 3)  # a quarter turn


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("side", [20, 80])
def test_what_is_found_in_a_turned_copy_is_in_pixels_of_the_photo(turns, side):
    photo = np.zeros((40, 30, 3), np.uint8)
    photo[24:28, 8:12] = 255

    def detect(picture_HWC, least):
        rows, columns = np.nonzero(picture_HWC[:, :, 0] > 200)
        low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
        yield Found(np.array([low, high], float), (*low, *high), 1.0)

    (face,) = search(photo, [Try(side, turns, 0.0)], 0.5, detect)
    assert face.box_4 == pytest.approx((8, 24, 12, 28), abs=1.1)
    assert face.points_N2.mean(axis=0) == pytest.approx((10, 26), abs=0.6)


def test_a_mirrored_border_completes_what_the_photo_cuts_and_shows_nothing_else():
    """Of a square of 40 pixels the photo shows the right half; of another one nothing."""
    photo = np.zeros((100, 80, 3), np.uint8)
    photo[30:70, :20] = 255
    whole, outside = Found(np.eye(5, 2), (0, 0, 0, 0), 1.0), Found(np.eye(5, 2), (0, 0, 30, 30), 1.0)

    def detect(picture_HWC, least):
        rows, columns = np.nonzero(picture_HWC[50:150, :, 0] > 200)
        box = (columns.min(), rows.min() + 50, columns.max() + 1, rows.max() + 51)
        return [whole._replace(box_4=box), outside]

    (face,) = search(photo, [Try(100, 0, 0.0, border=0.5)], 0.5, detect)
    assert face.box_4 == (-20, 30, 20, 70)


def test_a_face_whose_landmarks_coincide_is_none():
    found = Found(np.tile((3.0, 5.0), (5, 1)), (0, 0, 4, 4), 1.0)
    assert search(np.zeros((8, 8, 3), np.uint8), [Try(8, 0, 0.0)], 0.5, lambda *_: [found]) == []


def test_what_is_installed_decides_the_order_and_the_digest(tmp_path, monkeypatch):
    files = {"yunet": tmp_path / "y", "dlib": tmp_path / "d"}
    for name, path in files.items():
        path.write_text(name)

    def file(name):
        if not files[name].exists():
            raise MissingWeights(name)
        return files[name]

    monkeypatch.setattr(detectors, "_file", file)
    assert installed() == ("dlib", "yunet")
    both = detector_digest()
    files["yunet"].unlink()
    assert installed() == ("dlib",)
    assert detector_digest() != both


def test_a_detector_that_is_named_and_missing_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("ANONDERM_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights) as caught:
        detector("yunet")
    assert "weights fetch yunet" in caught.value.hint


def test_without_any_detector_both_ways_to_get_one_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ANONDERM_WEIGHTS", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "dlib", None)
    with pytest.raises(MissingExtra) as caught:
        detector()
    assert "weights fetch yunet" in caught.value.hint
    assert "anonderm[faces]" in caught.value.hint


@pytest.mark.parametrize("name", ["yunet", "sface"])
def test_the_published_files_are_registered_with_their_digests(name):
    registered = weights.third_party_named(name)
    assert registered.can_be_fetched
    assert all(each.sha256 for each in registered.files)
