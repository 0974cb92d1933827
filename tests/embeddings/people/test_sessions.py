"""Capture time, camera and file names as evidence that photos were taken in one session."""

import io
from datetime import datetime

import numpy as np
import pytest
from PIL import ExifTags, Image

from anonderm.embeddings.people.chance import BINS, Chance
from anonderm.embeddings.people.evidence import Evidence
from anonderm.embeddings.people.scenes import scene_rows
from anonderm.embeddings.people.sessions import Session, calibrated, near_in_time, next_by_name, session_of


def photo(time: str = "", serial: str = "") -> bytes:
    exif = Image.Exif()
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[0x9003], inner[0xA431] = time, serial
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def test_time_camera_and_number_are_read():
    session = session_of("anna/IMG_0012.jpg", photo("2024:05:06 07:08:09", "A7"))
    assert session == Session(datetime(2024, 5, 6, 7, 8, 9), "A7", ("anna/IMG_|", 12))


@pytest.mark.parametrize("data", [b"", b"no photo", photo("yesterday"), photo()])
def test_a_photo_that_states_nothing_is_no_evidence(data):
    assert session_of("face.jpg", data) == Session()


def test_photos_of_one_camera_within_a_minute_or_a_sitting_are_paired():
    at = [datetime(2024, 1, 1, 12, minute) for minute in (0, 1, 9, 30)]
    sessions = [Session(time, "A") for time in at] + [Session(at[0], "B")]
    assert sorted(near_in_time(sessions)) == [(0, 1, "minute"), (0, 2, "sitting"), (1, 2, "sitting")]


def test_names_that_follow_each_other_are_paired_within_a_folder():
    names = ["x/IMG_01.jpg", "x/IMG_02.jpg", "y/IMG_03.jpg", "x/IMG_04.jpg"]
    assert list(next_by_name([session_of(name, b"") for name in names])) == [(0, 1, "name")]


def test_known_people_say_how_much_a_kind_of_evidence_tells():
    pairs = [(2 * n, 2 * n + 1, "name") for n in range(40)]
    strangers = [f"p{n}" for n in range(80)]
    assert calibrated(pairs, strangers)["name"] < 0.05
    assert calibrated(pairs, [f"p{n // 2}" for n in range(80)])["name"] > 0.9
    assert calibrated(pairs, [None] * 80)["name"] == pytest.approx(0.3)


def test_weak_evidence_adds_up_and_a_clearly_different_face_outweighs_it():
    both = Evidence(0, 1, scene=0.9, time=0.9)
    assert both.probability == pytest.approx(0.99)
    assert Evidence(0, 1, name=0.3).probability == pytest.approx(0.3)
    assert Evidence(0, 1, face=0.0, scene=0.99, time=0.9, two_faces=True).probability == 0


def test_the_same_background_is_one_scene_and_a_plain_one_is_none():
    rng = np.random.default_rng(0)
    room = rng.integers(0, 256, (32, 32)).astype(np.uint8)
    later, other = room.copy(), rng.integers(0, 256, (32, 32)).astype(np.uint8)
    later[10:22, 12:20] = 0  # another face
    rows = scene_rows(np.stack([room, later, other, np.full((32, 32), 90, np.uint8)]))
    assert np.linalg.norm(rows[0] - rows[1]) < 0.05 < 1 < np.linalg.norm(rows[0] - rows[2])
    assert np.isnan(rows[3]).all()


def test_near_pairs_beyond_what_chance_explains_are_probably_genuine():
    rng = np.random.default_rng(0)
    drawn = np.concatenate([rng.normal(0.8, 0.08, 100_000), np.full(50, 0.3)])
    chance = Chance.of(np.histogram(drawn, BINS)[0])
    assert chance.expected_below(0.64) == pytest.approx(2275, rel=0.05)  # two deviations below the mean
    near, middle = chance.genuine_probability(np.array([0.3, 0.8], np.float32))
    assert near > 0.99
    assert middle < 0.05
    assert chance.excess_below(0.5) == pytest.approx(50, abs=10)
    assert chance.excess_below(0.8) is None
