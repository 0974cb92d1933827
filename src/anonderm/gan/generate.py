"""The stage `generate`: checkpoints -> FaceSet. A face depends only on its seed, not on its batch."""

from collections.abc import Iterator
from dataclasses import dataclass

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.distributed import World
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import Pixels
from anonderm.core.names import slugs
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.gan.config import GenerateConfig
from anonderm.models.stylegan2.checkpoint import architecture_of
from anonderm.models.stylegan2.precision import use_precision
from anonderm.models.stylegan2.range_options import parse_seeds, psi_by_layer
from anonderm.models.stylegan2.sampling import BATCH, LoadedGenerator, draw_faces


@dataclass(frozen=True)
class _Job:
    """The faces of one checkpoint and one class."""

    checkpoint: Checkpoint
    label: str | None


def generate(config: GenerateConfig, checkpoints: tuple[Checkpoint, ...], run: RunDir) -> FaceSet:
    """Generate the face of each seed, with each checkpoint and class. An interrupted run resumes.

    Several processes divide the faces among them; the result is the same. Raises ConfigError if two
    generators have the same label or none has a requested class, InputError, BrokenArtefact.
    """
    jobs = _jobs(checkpoints, config.classes)
    stems = slugs(job.label or "face" for job in jobs)
    if len(stems) < len(jobs):
        raise ConfigError("two generators have the same label.", "Run generate once for each of them.")
    writer = FaceSetWriter(run.folder / "faces", run.world.rank)
    missing = [_own_missing(stems[job.label or "face"], config, writer, run.world) for job in jobs]
    if not (run.folder / "run.json").exists():
        raise ConfigError(
            f"process {run.world.rank} cannot access {run.folder}, which process 0 created.",
            "Put --out on a disk that all machines share, or generate on one machine.",
        )
    run.world.barrier()  # no process writes before all have listed the missing faces
    done = len(writer.done)
    with run.bar("generating", done + sum(map(len, missing)), done) as bar:
        for job, ids in zip(jobs, missing, strict=True):
            for seed, image_HWC in _generate(job, list(ids), config):
                writer.add(image_HWC, _row(job, ids[seed], seed, config))
                bar.advance()
    run.world.barrier()
    faces = writer.finish() if run.world.is_main else None
    run.world.barrier()
    return faces or FaceSet.load(writer.folder)


def _own_missing(stem: str, config: GenerateConfig, writer: FaceSetWriter, world: World) -> dict[int, str]:
    """Seed -> id of the missing faces that this process generates: with n processes, every n-th batch."""
    ids = {seed: f"{stem}-{seed:08d}" for seed in parse_seeds(config.seeds)}
    missing = [seed for seed in ids if ids[seed] not in writer.done]
    starts = range(world.rank * BATCH, len(missing), world.size * BATCH)
    return {seed: ids[seed] for start in starts for seed in missing[start : start + BATCH]}


def _jobs(checkpoints: tuple[Checkpoint, ...], classes: tuple[str, ...]) -> list[_Job]:
    jobs = []
    for checkpoint in checkpoints:
        architecture_of(checkpoint)  # fails for another kind of checkpoint before any face is generated
        jobs += [_Job(checkpoint, label) for label in checkpoint.card.classes or (checkpoint.card.label,)]
    known = {job.label for job in jobs}
    unknown = [label for label in classes if label not in known]
    if unknown:
        named = ", ".join(sorted(label for label in known if label)) or "none"
        raise ConfigError(f"no generator has the class {unknown[0]!r}.", f"Their classes: {named}.")
    return [job for job in jobs if not classes or job.label in classes]


def _row(job: _Job, id: str, seed: int, config: GenerateConfig) -> Face:
    return Face(
        id=id,
        label=job.label,
        source="anonderm generate",
        licence=job.checkpoint.card.licence,
        checkpoint=job.checkpoint.digest,
        seed=seed,
        # If psi differs between layers, only the run's config.toml can hold it.
        psi=None if config.psi_layers else config.psi,
    )


def _generate(job: _Job, seeds: list[int], config: GenerateConfig) -> Iterator[tuple[int, Pixels]]:
    if not seeds:
        return
    model = LoadedGenerator.of(job.checkpoint, job.label if job.checkpoint.card.classes else None)
    use_precision(config.precision, model.generator)
    psi = psi_by_layer(config.psi, config.psi_layers, model.generator.style_layers)
    for start in range(0, len(seeds), BATCH):
        batch = seeds[start : start + BATCH]
        images = draw_faces(model.generator, batch, psi, config.noise, model.class_index)
        yield from zip(batch, images, strict=True)
