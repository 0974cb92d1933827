import numpy as np
import pytest

from anonderm.core.images import read_image
from anonderm.embeddings.matchers.dlib_person import DlibPerson


def test_two_photos_of_one_person_are_closer_than_those_of_two_people(shared_data):
    pytest.importorskip("dlib")
    describe = DlibPerson()
    names = ("001_neutral", "001_smiling", "002_neutral")
    photos = [read_image(shared_data / "pairs" / f"{name}.jpg") for name in names]
    one, same, other = (describe(photo)[0] for photo in photos)
    assert np.linalg.norm(one - same) < 0.5 < 0.6 < np.linalg.norm(one - other)
