"""report: the run folders of a whole pipeline -> one self-contained HTML file."""

from datetime import datetime
from pathlib import Path

from anonderm import __version__
from anonderm.core.errors import InputError
from anonderm.core.files import write_text
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.publish.config import ReportConfig
from anonderm.publish.pipeline import Pipeline
from anonderm.publish.release.evidence import evidence
from anonderm.publish.sections import classifiers, faces, photos, provenance, training
from anonderm.publish.sections.data_mix import data_mix
from anonderm.publish.sections.fidelity import fidelity
from anonderm.publish.sections.lesions import lesions
from anonderm.publish.sections.privacy import privacy
from anonderm.publish.sections.realism import realism
from anonderm.publish.sections.utility import utility
from anonderm.publish.summary import summarise
from anonderm.publish.templates import environment, style

# In reading order; each gives None if its runs are missing.
SECTIONS = (
    faces.faces,
    photos.photos,
    photos.excluded,
    photos.preparation,
    utility,
    data_mix,
    classifiers.classifier_scores,
    classifiers.saliency,
    fidelity,
    realism,
    lesions,
    privacy,
    evidence,
    faces.screening,
    training.generators,
    training.sweeps,
    training.classifiers,
    provenance.other_scores,
    provenance.release,
    provenance.provenance,
)


def report(config: ReportConfig, runs: tuple[RunRecord, ...], run: RunDir) -> Path:
    """Write run.folder/"report.html" about `runs`, which are in the order in which they ran.

    Raises InputError if none of them is finished, MissingPath or BrokenArtefact for a damaged run folder.
    """
    finished = tuple(record for record in runs if record.done)
    if not finished:
        raise InputError("report: none of these runs is finished.", "Run them to the end first.")
    refused = tuple(record for record in runs if record.content["status"] == "refused")
    pipeline = Pipeline(config, finished, refused)
    unfinished = [record.name for record in runs if not record.done and record not in refused]
    written = (write(pipeline) for write in run.progress(SECTIONS, "writing the report"))
    template = environment().get_template("report.html.jinja")
    page = template.render(
        title=config.title,
        style=style(),
        date=f"{datetime.fromisoformat(finished[-1].content['finished']):%d %B %Y}",
        version=__version__,
        real_shown=config.show_real and pipeline.private,
        summary=summarise(pipeline, unfinished),
        sections=[section for section in written if section and any(section.blocks)],
        steps=len(finished),
    )
    path = run.folder / "report.html"
    write_text(path, page)
    run.log(f"{path}: {len(page.encode()) / 1e6:.1f} MB")
    return path
