"""What a step of a recipe costs, estimated before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Flow:
    """What a step passes on: its faces, or for a trained model the faces that it learned from."""

    count: int = 0
    size: int = 64
    images_per_seed: int = 1
    """Of a generator: a conditional one draws an image of each class."""
    training_s: float = 0.0
    """Of a classifier: seconds for one face, once through its training."""


@dataclass(frozen=True)
class Workload:
    """What a step works on: its inputs, in the order of the recipe, and facts about the recipe."""

    inputs: Mapping[str, tuple[Flow, ...]]
    classes: int
    assumed_photos: int = 0
    """How many photos a dry run assumes when none are given."""

    @property
    def flows(self) -> list[Flow]:
        return [flow for flows in self.inputs.values() for flow in flows]

    @property
    def faces(self) -> Flow:
        """The faces of the first input; most stages pass on as many of the same size."""
        first = next(iter(self.flows), Flow())
        return Flow(first.count, first.size)

    @property
    def most_faces(self) -> int:
        return max((flow.count for flow in self.flows), default=0)


@dataclass(frozen=True)
class Cost:
    """Seconds, and what the step passes on."""

    output: Flow
    reference_s: float = 0.0
    """On the reference machine (2 cores, AVX2); scaled by how fast this machine is."""
    measured_s: float = 0.0
    """Measured on this machine."""


@dataclass(frozen=True)
class FaceCost:
    """The cost of a stage that takes a fixed time and a time for each face, on the reference machine."""

    fixed_s: float
    face_s: float = 0.0
    """One face of 64 x 64 pixels, or of any size with `any_size`."""
    any_size: bool = False
    resizes: bool = False
    """The faces that leave have the side `config.size`."""
    inference: float = 0.0
    """For each face and each classifier among the inputs, this share of the time it takes in training."""

    def __call__(self, config: object, work: Workload, output: Flow | None = None) -> Cost:
        if output is None:
            size = getattr(config, "size", None) if self.resizes else None
            output = Flow(work.faces.count, size or work.faces.size)
        faces = max(output.count, work.most_faces)
        pixels = 1.0 if self.any_size else (output.size / 64) ** 2
        reference_s = self.fixed_s + self.face_s * faces * pixels
        classified = min(work.most_faces, getattr(config, "max_faces", work.most_faces))
        training_s = sum(flow.training_s for flow in work.flows)
        return Cost(output, reference_s, self.inference * classified * training_s)
