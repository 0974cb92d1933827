"""What the stages of this package cost, which weights they load, and which classes the photos have."""

from functools import partial

from anonderm.core import weights
from anonderm.core.cost import Cost, FaceCost, Flow, Workload
from anonderm.core.images import is_image_name
from anonderm.core.records import order_labels
from anonderm.embeddings.matchers.registry import identity_matcher
from anonderm.ingest.config import AlignConfig, IngestConfig, PhantomConfig, RestoreConfig

_RESTORE_FACE_S = {"lanczos": 0.0003, "spandrel": 0.1, "dfdnet": 0.1}


def phantom_cost(config: PhantomConfig, work: Workload) -> Cost:
    count = config.people * (config.photos_min + config.photos_max) // 2
    return FaceCost(1.0, 0.008)(config, work, Flow(count, config.size))


def ingest_cost(config: IngestConfig, work: Workload) -> Cost:
    photos = sum(is_image_name(path.name) for path in config.source.rglob("*"))
    return FaceCost(1.0, 0.006)(config, work, Flow(photos or work.assumed_photos, config.size))


def ingest_needs(config: IngestConfig) -> list[weights.Lookup]:
    return [partial(identity_matcher, config.people_matcher)] if config.people == "faces" else []


def align_needs(config: AlignConfig) -> list[weights.Lookup]:
    return weights.lookups("yunet" if config.detector == "yunet" else None)


def restore_cost(config: RestoreConfig, work: Workload) -> Cost:
    output = Flow(work.faces.count, config.size)
    pixels = (config.size / 64) ** 2
    return Cost(output, 1 + output.count * pixels * _RESTORE_FACE_S[config.restorer])


def restore_needs(config: RestoreConfig) -> list[weights.Lookup]:
    return weights.lookups(config.weights or ("dfdnet" if config.restorer == "dfdnet" else None))


def labels(config: IngestConfig) -> tuple[str, ...]:
    """The labels of the photos. Raises MissingPath, EmptyFolder or BadLabel."""
    from anonderm.ingest.sources.layouts import find_photos

    _, found = find_photos(config)
    return order_labels(photo.label for photo in found.photos if photo.label is not None)
