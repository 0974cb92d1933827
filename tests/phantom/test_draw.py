"""The phantom's people, pictures and truth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from anonderm.core.errors import ConfigError
from anonderm.core.images import resize
from anonderm.core.records import LESION_KINDS
from anonderm.phantom.condition import (
    CLASSES,
    COUNT_QUARTILES,
    RADIUS_PERCENTILES,
    Condition,
    Spot,
    sample_condition,
)
from anonderm.phantom.draw import Drawing, draw
from anonderm.phantom.paint import encode_srgb, lab_to_linear
from anonderm.phantom.person import ITA_BANDS, Person, sample_person, skin_lab
from anonderm.phantom.photo import Photo, sample_photo

HEALTHY = Condition("healthy")
NEUTRAL = Photo()


def person_number(number: int, **changes: object) -> Person:
    return dataclasses.replace(sample_person(np.random.default_rng((11, number))), **changes)  # type: ignore[arg-type]


def clean_shaven(number: int) -> Person:
    return person_number(number, beard=0.0, stubble=0.0, freckles=0, moles=0, fringe=0.0)


def lab_of(image_srgb: np.ndarray) -> np.ndarray:
    """CIELab (D65) by the textbook formulas, [..., 3]."""
    code = image_srgb.astype(np.float64) / 255
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(to_xyz).T / (0.9505, 1.0, 1.089)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )


def median_ita(drawing: Drawing) -> float:
    lightness, _, b = np.moveaxis(lab_of(drawing.image[drawing.skin]), -1, 0)
    return float(np.median(np.degrees(np.arctan2(lightness - 50, b))))


def redness(drawing: Drawing) -> float:
    return float(lab_of(drawing.image[drawing.skin])[:, 1].mean())


@pytest.mark.parametrize("lab", [(75.0, 8.0, 12.0), (60.0, 12.0, 19.0), (35.0, 10.0, 12.0), (50.0, 0.0, 0.0)])
def test_lab_colours_survive_the_way_to_srgb_and_back(lab: tuple[float, float, float]) -> None:
    code = encode_srgb(np.array(lab_to_linear(*lab), np.float32)) * 255
    assert lab_of(code) == pytest.approx(lab, abs=0.6)


@pytest.mark.parametrize("ita", [-50.0, -20.0, 0.0, 20.0, 35.0, 48.0, 65.0])
def test_skin_colour_has_the_stated_ita(ita: float) -> None:
    lightness, _, b = skin_lab(ita)
    assert np.degrees(np.arctan2(lightness - 50, b)) == pytest.approx(ita)


def test_people_cover_every_band_of_skin_tone_equally() -> None:
    itas = np.array([person_number(number).ita for number in range(600)])
    for low, high in ITA_BANDS.values():
        assert 70 <= np.sum((itas >= low) & (itas < high)) <= 135


@pytest.mark.parametrize("size", [64, 256])
def test_drawn_skin_has_the_persons_ita_under_neutral_light(size: int) -> None:
    people = [clean_shaven(number) for number in range(24)]
    errors = np.array([median_ita(draw(person, NEUTRAL, HEALTHY, size)) - person.ita for person in people])
    assert abs(errors.mean()) < 1.5
    assert np.abs(errors).max() < 5.5


def test_the_same_arguments_draw_the_same_picture() -> None:
    rng = np.random.default_rng(5)
    person, photo, condition = sample_person(rng), sample_photo(rng), sample_condition(rng, "severe")
    first, second = (draw(person, photo, condition, 96, 2.0) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.skin, second.skin)
    assert first.lesions == second.lesions


def test_a_face_looks_the_same_at_every_size() -> None:
    for number in range(6):
        person, photo = person_number(number), Photo(roll=0.04, yaw=0.1, pitch=-0.05)
        large, small = (draw(person, photo, HEALTHY, size) for size in (512, 64))
        shrunk = resize(large.image, 64).astype(float)
        assert np.abs(shrunk - small.image).mean() < 4
        assert np.mean(resize_mask(large.skin, 64) != small.skin) < 0.03


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    block = mask.shape[0] // size
    return mask.reshape(size, block, size, block).mean((1, 3)) > 0.5


@pytest.mark.parametrize("size", [32, 33, 100, 1024])
def test_any_size_in_range_is_drawn(size: int) -> None:
    drawing = draw(person_number(1), NEUTRAL, sample_condition(np.random.default_rng(0), "severe"), size)
    assert drawing.image.shape == (size, size, 3)
    assert drawing.image.dtype == np.uint8
    assert drawing.skin.shape == (size, size)
    assert drawing.skin.dtype == np.bool_


@pytest.mark.parametrize("size", [31, 1025])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ConfigError, match="32 to 1024"):
        draw(person_number(1), NEUTRAL, HEALTHY, size)


def test_photos_of_one_person_are_more_alike_than_photos_of_two() -> None:
    def shown(number: int, photo: int) -> np.ndarray:
        taken = sample_photo(np.random.default_rng((3, number, photo)))
        return draw(person_number(number), taken, HEALTHY, 64).image.astype(float)

    same = [np.abs(shown(number, 0) - shown(number, 1)).mean() for number in range(12)]
    other = [np.abs(shown(number, 0) - shown(number + 1, 1)).mean() for number in range(12)]
    assert min(same) > 1
    assert np.median(same) < 0.5 * np.median(other)


def test_skin_mask_is_the_face_without_eyes_lips_and_hair() -> None:
    person = clean_shaven(4)
    drawing = draw(dataclasses.replace(person, hair_style="short"), NEUTRAL, HEALTHY, 256)

    def at(x: float, y: float) -> bool:
        return bool(drawing.skin[int((0.465 + y) * 256), int((0.5 + x) * 256)])

    assert 0.12 < drawing.skin.mean() < 0.40
    assert at(0, person.nose_y - 0.02)
    assert at(0.14, 0.1)
    assert at(0, person.chin - 0.03)
    assert not at(person.eye_gap, 0)
    assert not at(0, person.mouth_y + 0.008)
    assert not at(0, -person.head_top)
    assert not at(0, person.chin + 0.04)
    assert not drawing.skin[:, :20].any()


def test_turning_the_head_moves_the_nose_sideways_and_rolling_turns_the_picture() -> None:
    person = clean_shaven(2)

    def eyes(photo: Photo) -> np.ndarray:
        """Centres (row, column) of the left and right hole that the eyes leave in the skin."""
        hole = ~draw(person, photo, HEALTHY, 256).skin
        rows = slice(int(0.43 * 256), int(0.50 * 256))
        centres = []
        for columns in (slice(int(0.31 * 256), int(0.45 * 256)), slice(int(0.55 * 256), int(0.69 * 256))):
            found = np.argwhere(hole[rows, columns])
            centres.append(found.mean(0) + np.array((rows.start, columns.start)))
        return np.array(centres)

    neutral = eyes(NEUTRAL)
    assert (eyes(Photo(yaw=0.12))[:, 1] - neutral[:, 1]).min() > 2
    rolled = eyes(Photo(roll=0.06))
    assert np.arctan2(*(rolled[1] - rolled[0])) == pytest.approx(0.06, abs=0.03)


@pytest.mark.parametrize("severity", list(COUNT_QUARTILES))
def test_lesion_counts_follow_what_experts_counted(severity: str) -> None:
    rng = np.random.default_rng(2)
    counts = [len(sample_condition(rng, severity).spots) for _ in range(1500)]
    assert np.percentile(counts, (25, 50, 75)) == pytest.approx(COUNT_QUARTILES[severity], rel=0.10)


def test_lesion_radii_follow_what_experts_marked() -> None:
    rng = np.random.default_rng(3)
    radii = [spot.radius for _ in range(300) for spot in sample_condition(rng, "severe").spots]
    assert np.percentile(radii, (5, 50, 95)) == pytest.approx(RADIUS_PERCENTILES, rel=0.04)


def test_kinds_grow_from_comedones_to_nodules_with_severity() -> None:
    rng = np.random.default_rng(4)

    def shares(severity: str) -> dict[str, float]:
        kinds = [spot.kind for _ in range(80) for spot in sample_condition(rng, severity).spots]
        return {kind: kinds.count(kind) / len(kinds) for kind in LESION_KINDS}

    mild, severe = shares("mild"), shares("very severe")
    assert mild["comedone"] > 0.55
    assert severe["comedone"] < 0.25
    assert mild["nodule"] < 0.01 < 0.1 < severe["nodule"]


def test_nodules_are_larger_than_comedones() -> None:
    rng = np.random.default_rng(5)
    spots = [spot for _ in range(60) for spot in sample_condition(rng, "severe").spots]
    median = {kind: np.median([spot.radius for spot in spots if spot.kind == kind]) for kind in LESION_KINDS}
    assert median["nodule"] > 1.5 * median["papule"] > 1.5 * median["comedone"]


def test_healthy_faces_have_no_lesions_and_an_unknown_class_is_refused() -> None:
    assert sample_condition(np.random.default_rng(0), "healthy").spots == ()
    with pytest.raises(ConfigError, match="no class 'awful'"):
        sample_condition(np.random.default_rng(0), "awful")


@pytest.mark.parametrize("severity", ["mild", "severe", "very severe", "rosacea"])
def test_nearly_all_lesions_are_in_sight_on_skin_and_inside_the_picture(severity: str) -> None:
    for number in range(5):
        rng = np.random.default_rng((6, number))
        person, condition, photo = sample_person(rng), sample_condition(rng, severity), sample_photo(rng)
        drawing = draw(person, photo, condition, 256)
        assert len(drawing.lesions) >= 0.85 * len(condition.spots) - 1
        for lesion in drawing.lesions:
            assert 0 <= lesion.x0 < lesion.x1 <= 256
            assert 0 <= lesion.y0 < lesion.y1 <= 256
            row, column = int((lesion.y0 + lesion.y1) / 2), int((lesion.x0 + lesion.x1) / 2)
            assert drawing.skin[row, column]


@pytest.mark.parametrize("kind", LESION_KINDS)
@pytest.mark.parametrize("ita", [60.0, -45.0])
def test_a_lesion_is_drawn_inside_its_box_and_fills_it(kind: str, ita: float) -> None:
    person = dataclasses.replace(clean_shaven(3), ita=ita, skin=lab_to_linear(*skin_lab(ita)))
    photo = Photo(roll=0.05, yaw=-0.12, pitch=0.04)
    for seed in range(6):
        marked = draw(person, photo, Condition("severe", (Spot(kind, 0.04, 1.0),), seed=seed), 256)
        change = marked.image.astype(int) - draw(person, photo, HEALTHY, 256).image
        rows, columns = np.nonzero(np.abs(change).max(2) > 3)
        (lesion,) = marked.lesions
        assert lesion.kind == kind
        assert rows.min() >= lesion.y0 - 1.5
        assert columns.min() >= lesion.x0 - 1.5
        assert rows.max() <= lesion.y1 + 0.5
        assert columns.max() <= lesion.x1 + 0.5
        assert np.ptp(rows) * np.ptp(columns) > 0.4 * (lesion.x1 - lesion.x0) * (lesion.y1 - lesion.y0)


@pytest.mark.parametrize("ita", [65.0, 20.0, -50.0])
def test_papules_redden_and_pustules_lighten_skin_of_every_tone(ita: float) -> None:
    person = dataclasses.replace(clean_shaven(3), ita=ita, skin=lab_to_linear(*skin_lab(ita)))
    plain = lab_of(draw(person, NEUTRAL, HEALTHY, 256).image)

    def change(kind: str) -> np.ndarray:
        """Change of L, a, b in the middle of the lesion."""
        marked = draw(person, NEUTRAL, Condition("severe", (Spot(kind, 0.03, 1.0),), seed=1), 256)
        (lesion,) = marked.lesions
        row, column = int((lesion.y0 + lesion.y1) / 2), int((lesion.x0 + lesion.x1) / 2)
        return (lab_of(marked.image) - plain)[row - 1 : row + 2, column - 1 : column + 2].mean((0, 1))

    assert change("papule")[1] > 8
    assert change("nodule")[1] > 8
    assert change("papule")[0] < 0
    assert change("pustule")[0] > change("papule")[0] + 15
    assert change("pustule")[2] > 3


def test_at_64_px_enlarged_lesions_redden_the_face_more_with_every_class() -> None:
    means = []
    for severity in ("healthy", "mild", "moderate", "severe", "very severe"):
        drawn = []
        for number in range(40):
            rng = np.random.default_rng((8, number))
            condition = sample_condition(rng, severity)
            person = person_number(number, beard=0.0)
            drawn.append(redness(draw(person, NEUTRAL, condition, 64, 2.8)))
        means.append(np.mean(drawn))
    assert np.diff(means).min() > 0.25


def test_rosacea_reddens_the_middle_of_the_face_not_its_rim() -> None:
    person = clean_shaven(0)
    condition = Condition("rosacea", erythema=1.0, vessels=10, seed=3)
    sick, well = (draw(person, NEUTRAL, c, 128) for c in (condition, HEALTHY))
    change = (lab_of(sick.image) - lab_of(well.image))[..., 1]
    nose = change[int((0.465 + person.nose_y - 0.02) * 128), 64]
    cheek = change[int((0.465 + 0.1) * 128), int((0.5 + 0.115) * 128)]
    temple = change[int((0.465 - 0.02) * 128), int((0.5 + 0.225) * 128)]
    assert min(nose, cheek) > 6
    assert abs(temple) < 3
    assert sick.lesions == ()


def test_only_the_lesions_grow_with_lesion_scale() -> None:
    condition = sample_condition(np.random.default_rng(1), "moderate")
    small, large = (draw(clean_shaven(5), NEUTRAL, condition, 512, scale).lesions for scale in (1.0, 2.0))
    assert len(small) == len(large)
    for one, two in zip(small, large, strict=True):
        assert (one.x0 + one.x1) / 2 == pytest.approx((two.x0 + two.x1) / 2, abs=1e-3)
        assert two.x1 - two.x0 == pytest.approx(2 * (one.x1 - one.x0), rel=1e-4)


def test_every_class_can_be_drawn_for_many_people() -> None:
    for number in range(60):
        rng = np.random.default_rng((9, number))
        condition = sample_condition(rng, CLASSES[number % len(CLASSES)])
        drawing = draw(sample_person(rng), sample_photo(rng), condition, 48, 3.0)
        assert drawing.skin.mean() > 0.08
        assert drawing.image.std() > 10
