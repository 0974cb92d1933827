"""The templates of the report, the evidence page and the data set card."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent


@cache
def environment() -> Environment:
    """HTML templates escape their values; a missing value is an error."""
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=lambda name: name is not None and name.endswith(".html.jinja"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style() -> Markup:
    return Markup((_FOLDER / "report.css").read_text(encoding="utf-8"))
