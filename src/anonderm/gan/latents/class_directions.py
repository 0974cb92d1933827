"""The stage `latents class-directions`: directions from one class to another, as differences of mean w.

K directions, N samples, D size of w. A direction between generators of one class each contains the difference
of their mapping networks but not that of their synthesis networks, which after a short training is nearly all
of it. Graded faces of one generator are more informative.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BadLabel, ConfigError, InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import step_generator
from anonderm.core.records import order_labels
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.config import ClassDirectionsConfig
from anonderm.gan.latents.directions import write_results
from anonderm.models.stylegan2.checkpoint import architecture_of
from anonderm.models.stylegan2.projection import StyleDistribution
from anonderm.models.stylegan2.range_options import parse_layers
from anonderm.models.stylegan2.sampling import LoadedGenerator, styles

_SAMPLES = 10_000  # latents for the standard deviation of w
_VISIBLE = 0.1  # of that standard deviation; shorter directions hardly change a face


@dataclass(frozen=True)
class _Class:
    """The mean w of a class, the number of faces it is taken over, and the generator of its faces."""

    mean_D: Tensor
    model: LoadedGenerator
    faces: int | None = None


def class_directions(
    config: ClassDirectionsConfig, checkpoints: tuple[Checkpoint, ...], faces: FaceSet | None, run: RunDir
) -> list[Path]:
    """Write the directions from the class `origin` to the others, and its faces moved along them.

    Raises ConfigError, InputError or BadLabel if there are not at least two classes to compare,
    BrokenArtefact.
    """
    classes = _of_faces(faces, checkpoints, run) if faces is not None else _of_generators(config, checkpoints)
    labels = order_labels(classes)
    if len(labels) < 2:
        raise BadLabel(f"only one class ({', '.join(labels) or 'none'}); a direction needs two.", _HINT)
    origin = config.origin or labels[0]
    if origin not in labels:
        raise ConfigError(f"origin = {origin!r}: no such class.", f"Classes: {', '.join(labels)}.")
    start = classes[origin]
    directions = {}
    for label in labels:
        if label != origin:
            name = f"{origin} to {label}"
            directions[name] = classes[label].mean_D - start.mean_D
            run.log(_length(start, classes[label], directions[name], name))
    layers = parse_layers(config.layers, start.model.generator.style_layers)
    return write_results(directions, layers, start.model, config, run)


def _length(start: _Class, end: _Class, vector_D: Tensor, name: str) -> str:
    """The distance of the means, and the one expected by chance between groups of this size."""
    deviation = StyleDistribution.of(start.model.sample_styles(_SAMPLES, step_generator(0, 0))).deviation
    length = float(vector_D.norm()) / deviation
    if start.faces and end.faces:
        chance = (1 / start.faces + 1 / end.faces) ** 0.5
        return f"{name}: {length:.2f} standard deviations of w; by chance, about {chance:.2f}"
    weak = "" if length > _VISIBLE else "; hardly visible: the classes differ in the synthesis, not in w"
    return f"{name}: {length:.2f} standard deviations of w{weak}"


_HINT = (
    "Give a generator trained with --conditional, several generators of one class each, or one generator and "
    "its graded faces (--faces)."
)


def _of_generators(config: ClassDirectionsConfig, checkpoints: tuple[Checkpoint, ...]) -> dict[str, _Class]:
    """The classes of one conditional generator, or one class of each of several generators."""
    if len(checkpoints) == 1 and checkpoints[0].card.classes:
        models = {label: LoadedGenerator.of(checkpoints[0], label) for label in checkpoints[0].card.classes}
    else:
        _check_comparable(checkpoints)
        models = {str(each.card.label): LoadedGenerator.of(each, None) for each in checkpoints}
    found = {}
    for label, model in models.items():
        # The same latents for every class, so that only the class contributes to a difference.
        w_ND = model.sample_styles(config.samples, step_generator(0, 0))
        found[label] = _Class(w_ND.mean(dim=0), model)
    return found


def _check_comparable(checkpoints: tuple[Checkpoint, ...]) -> None:
    shapes = {architecture_of(each) for each in checkpoints}
    labels = [each.card.label for each in checkpoints if not each.card.classes]
    if len(labels) < len(checkpoints) or None in labels or len(set(labels)) < len(labels):
        raise BadLabel("each generator must have a class of its own.", _HINT)
    bases = {each.card.notes.get("base") for each in checkpoints}
    if len(shapes) > 1 or len(bases) > 1 or (len(checkpoints) > 1 and None in bases):
        raise InputError(
            "these generators were not trained from the same base, so their w are not comparable.",
            "Train each with the same --base.",
        )


def _of_faces(faces: FaceSet, checkpoints: tuple[Checkpoint, ...], run: RunDir) -> dict[str, _Class]:
    """The classes of graded faces, whose w are computed from their seeds."""
    checkpoint = checkpoints[0]
    if len(checkpoints) > 1 or architecture_of(checkpoint).classes:
        raise ConfigError("--faces requires a single, unconditional generator.", _HINT)
    model = LoadedGenerator.of(checkpoint, None)
    seeds: dict[str, list[int]] = {}
    for face in faces:
        if face.checkpoint == checkpoint.digest and face.label is not None and face.seed is not None:
            seeds.setdefault(face.label, []).append(face.seed)
    if not seeds:
        raise InputError(
            f"{faces.folder}: it holds no labelled face generated by {checkpoint.path.name}.", _HINT
        )
    run.log("faces: " + ", ".join(f"{len(own)} {label}" for label, own in seeds.items()))
    return {
        label: _Class(styles(model.generator, own).mean(dim=0), model, len(own))
        for label, own in seeds.items()
    }
