"""evaluate saliency: does a classifier look at the lesions? Grad-CAM measured against known boxes and masks.

saliency.png  some faces of each class or lesion type, each beside its map, with boxes and the maximum

H x W pixels of a map.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import ConfigError, InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, grid, resize, write_png
from anonderm.core.launch import device
from anonderm.core.records import Face, Lesion
from anonderm.core.results.base import Score
from anonderm.core.results.classifier import MapMeasure, MapMeasures, SaliencyResult
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import SaliencyConfig
from anonderm.evaluate.held_out import check_labels, held_out_faces
from anonderm.evaluate.statistics import Bootstrap
from anonderm.metrics import pointing
from anonderm.models.classifier.grad_cam import heat, overlay
from anonderm.models.classifier.label_encoding import types_on
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import load_classifier

Values = dict[str, float]
"""A measure of one map, beside that of a uniform map and of one that is uniform on the skin (if known)."""
_MEASURES = ("in_lesions", "pointing", "in_skin")
_TILE_PX = 192  # of the picture sheet
_WHITE, _BLACK = np.uint8(255), np.uint8(0)


@dataclass(frozen=True)
class Target:
    """One map: the face, the class or lesion type that it explains, and the boxes that it should lie on."""

    face: Face
    name: str
    lesions: tuple[Lesion, ...]

    @property
    def key(self) -> str:
        return f"{self.face.id}/{self.name}"


def evaluate_saliency(
    config: SaliencyConfig, faces: FaceSet, classifier: Checkpoint, run: RunDir
) -> SaliencyResult:
    """Shares of the heat and the pointing game on the test split (on all faces of a set without splits).

    Intervals are over people. Run again in the same folder, it continues after the last map. Raises
    InputError if no face has boxes or masks, BadLabel for labels that are not classes of the classifier,
    ConfigError for explain = severity of lesion types.
    """
    network = load_classifier(classifier, device())
    if network.head_type.name == "multi-label" and config.explain == "severity":
        raise ConfigError(f"{classifier.path}: lesion types have no severity.", "Give explain = class.")
    targets = list(_targets(_sample(config, held_out_faces(faces), network), network))
    if not targets:
        raise InputError(
            f"{faces.folder}: no face has lesion boxes or a skin mask to compare the maps with.",
            "Give a set whose source has them, such as the phantom.",
        )

    def measured(target: Target) -> dict[str, Any]:
        return _measure(config, faces, target, _heat(config, faces, target, network))

    values: dict[str, dict[str, Any]] = {
        target.key: run.remember(target.key, partial(measured, target))
        for target in run.progress(targets, "Grad-CAM")
    }
    flat = sum(values[target.key]["peak"] == 0 for target in targets)
    if flat:
        run.log(f"{flat} of {len(targets)} maps are zero everywhere; they count as missing the lesions")
    return SaliencyResult(
        backbone=classifier.card.architecture["backbone"],
        head=network.head_type.name,
        weights=classifier.card.notes.get("weights"),
        explain=config.explain,
        maps=len(targets),
        maps_without_heat=flat,
        n_people=len({target.face.person for target in targets}),
        sheet=_sheet(config, faces, targets, network, run),
        groups={
            name: _group(config, [(values[target.key], target.face.person) for target in members])
            for name, members in run.progress(_by_name(targets, network), "intervals")
        },
    )


def _by_name(targets: list[Target], network: Classifier) -> list[tuple[str, list[Target]]]:
    """All targets, and those of each class or lesion type that has any."""
    by_name = [(name, [each for each in targets if each.name == name]) for name in network.classes]
    return [("all", targets), *((name, members) for name, members in by_name if members)]


def _sheet(
    config: SaliencyConfig, faces: FaceSet, targets: list[Target], network: Classifier, run: RunDir
) -> str | None:
    """Write the picture sheet; its file name, None if no faces are to be shown."""
    _, *by_name = _by_name(targets, network)
    shown = [target for _, members in by_name for target in members[: config.sheet_faces]]
    if not shown:
        return None
    maps = [(target, _heat(config, faces, target, network)) for target in shown]
    _write_sheet(run.folder / "saliency.png", faces, maps, config.sheet_faces)
    return "saliency.png"


def _sample(config: SaliencyConfig, faces: FaceSet, network: Classifier) -> FaceSet:
    """At most `max_faces` faces whose boxes or masks are known, drawn at random."""
    known = FaceSet(faces.folder, tuple(face for face in faces if face.lesions or face.mask))
    if network.head_type.name != "multi-label":
        check_labels(known, network)
    if len(known) <= config.max_faces:
        return known
    rows = np.random.default_rng(config.seed).choice(len(known), config.max_faces, replace=False)
    return FaceSet(known.folder, tuple(known.faces[row] for row in sorted(rows)))


def _targets(faces: FaceSet, network: Classifier) -> Iterator[Target]:
    for face in faces:
        if network.head_type.name != "multi-label":
            yield Target(face, str(face.label), face.boxes)
            continue
        for kind in network.classes:
            if kind in types_on(face):
                yield Target(face, kind, tuple(box for box in face.boxes if box.kind == kind))


def _heat(config: SaliencyConfig, faces: FaceSet, target: Target, network: Classifier) -> NDArray[np.float32]:
    image_HWC = faces.image(target.face)
    if config.explain == "severity":
        return heat(network, image_HWC, "severity")
    return heat(network, image_HWC, network.classes.index(target.name))


def _measure(
    config: SaliencyConfig, faces: FaceSet, target: Target, heat_HW: NDArray[np.float32]
) -> dict[str, Any]:
    """peak: the map's largest value; and each of _MEASURES, None where boxes or mask are unknown."""
    shape = (heat_HW.shape[0], heat_HW.shape[1])
    skin_HW, in_skin, in_lesions, hit = None, None, None, None
    if target.face.mask is not None:
        skin_HW = pointing.skin_cover(faces.mask(target.face), shape)
        in_skin = {"value": pointing.share_inside(heat_HW, skin_HW), "baseline": float(skin_HW.mean())}
    if target.lesions:
        height, width = faces.image(target.face).shape[:2]
        boxes_B4 = pointing.boxes_of(target.lesions, (shape[1] / width, shape[0] / height))
        near_HW = pointing.near(boxes_B4, shape, config.tolerance * max(shape))
        cover_HW = pointing.cover(boxes_B4, shape)
        in_lesions = {"value": pointing.share_inside(heat_HW, cover_HW), "baseline": float(cover_HW.mean())}
        hit = {"value": float(pointing.hits(heat_HW, near_HW)), "baseline": float(near_HW.mean())}
        if skin_HW is not None and skin_HW.any():
            in_lesions["skin_baseline"] = pointing.share_inside(skin_HW, cover_HW)
            hit["skin_baseline"] = pointing.share_inside(skin_HW, near_HW.astype(np.float64))
    return {"peak": float(heat_HW.max()), "in_lesions": in_lesions, "pointing": hit, "in_skin": in_skin}


def _group(config: SaliencyConfig, maps: Sequence[tuple[dict[str, Any], str]]) -> MapMeasures:
    """maps: the measures and the person of each."""

    def summarise(name: str) -> MapMeasure | None:
        known = [(values[name], person) for values, person in maps if values[name] is not None]
        return _summarise(config, known) if known else None

    return MapMeasures(**{name: summarise(name) for name in _MEASURES})


def _summarise(config: SaliencyConfig, maps: Sequence[tuple[Values, str]]) -> MapMeasure:
    """Means over maps, each a measure and its person."""
    on_skin = [(values, person) for values, person in maps if "skin_baseline" in values]

    def mean(
        known: Sequence[tuple[Values, str]], name: str, minus: str | None = None, better: bool | None = True
    ) -> Score:
        bootstrap = Bootstrap([person for _, person in known], config.seed, config.bootstrap_samples)
        differences = [values[name] - (values[minus] if minus else 0.0) for values, _ in known]
        return bootstrap.mean(np.array(differences), better)

    return MapMeasure(
        value=mean(maps, "value"),
        baseline=mean(maps, "baseline", better=None),
        above_baseline=mean(maps, "value", "baseline"),
        skin_baseline=mean(on_skin, "skin_baseline", better=None) if on_skin else None,
        above_skin_baseline=mean(on_skin, "value", "skin_baseline") if on_skin else None,
    )


def _write_sheet(
    path: Path, faces: FaceSet, maps: list[tuple[Target, NDArray[np.float32]]], columns: int
) -> None:
    """A row for each class or lesion type; boxes are white, and a cross marks the maximum of each map."""
    rows: dict[str, list[Pixels]] = {}
    for target, heat_HW in maps:
        image_HWC = faces.image(target.face)
        heated_HWC = overlay(image_HWC, heat_HW, _TILE_PX)
        _draw_boxes(heated_HWC, target.lesions, _TILE_PX / image_HWC.shape[1], _TILE_PX / image_HWC.shape[0])
        if heat_HW.max() > 0:
            _draw_cross(heated_HWC, heat_HW)
        pair = np.concatenate([resize(image_HWC, _TILE_PX), heated_HWC], axis=1)
        rows.setdefault(target.name, []).append(pair)
    blank = np.full((_TILE_PX, 2 * _TILE_PX, 3), _WHITE)
    tiles = [tile for row in rows.values() for tile in row + [blank] * (columns - len(row))]
    write_png(path, grid(np.stack(tiles), columns))


def _draw_boxes(picture_HWC: Pixels, lesions: tuple[Lesion, ...], across: float, down: float) -> None:
    last = len(picture_HWC) - 1
    for box in lesions:
        x0, x1 = (min(max(round(x * across), 0), last) for x in (box.x0, box.x1))
        y0, y1 = (min(max(round(y * down), 0), last) for y in (box.y0, box.y1))
        picture_HWC[[y0, y1], x0 : x1 + 1] = _WHITE
        picture_HWC[y0 : y1 + 1, [x0, x1]] = _WHITE


def _draw_cross(picture_HWC: Pixels, heat_HW: NDArray[np.float32]) -> None:
    row, column = np.unravel_index(int(heat_HW.argmax()), heat_HW.shape)
    y, x = (int((place + 0.5) * _TILE_PX / len(heat_HW)) for place in (row, column))
    for thick, colour in ((2, _BLACK), (1, _WHITE)):
        arm = 5 + thick
        picture_HWC[max(y - arm, 0) : y + arm + 1, max(x - thick + 1, 0) : x + thick] = colour
        picture_HWC[max(y - thick + 1, 0) : y + thick, max(x - arm, 0) : x + arm + 1] = colour
