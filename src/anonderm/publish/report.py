"""report: the run folders of a whole line -> one HTML file that needs nothing else to be read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from anonderm import __version__
from anonderm.core.errors import InputError
from anonderm.core.files import write_text
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.publish.config import ReportConfig
from anonderm.publish.material import Material
from anonderm.publish.sections import sections
from anonderm.publish.summary import summarise

TEMPLATES = Path(__file__).parent / "templates"


def report(config: ReportConfig, runs: tuple[RunRecord, ...], run: RunDir) -> Path:
    """Write run.folder/"report.html" about `runs`, which are in the order in which they ran.

    Raises InputError when none of them is finished, MissingPath or BrokenArtefact for a damaged run folder.
    """
    finished = tuple(record for record in runs if record.done)
    if not finished:
        raise InputError("report: none of these runs is finished.", "Run them to the end first.")
    material = Material(config, finished)
    unfinished = [record.name for record in runs if not record.done]
    shown = tuple(run.progress(sections(material), "writing the report"))
    page = environment().get_template("report.html.jinja").render(
        title=config.title,
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        date=datetime.now(UTC).strftime("%-d %B %Y"),
        version=__version__,
        real_shown=config.show_real and material.photos is not None,
        summary=summarise(material, unfinished),
        sections=shown,
        steps=len(finished),
    )
    path = run.folder / "report.html"
    write_text(path, page)
    run.log(f"{path}: {len(page.encode()) / 1e6:.1f} MB")
    return path


def environment() -> Environment:
    """Templates of this package; what they print is escaped, and a missing value is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
