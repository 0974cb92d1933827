"""The data set card: README.md of a release, with the front matter that Hugging Face reads."""

from __future__ import annotations

from anonderm import __version__
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Scores
from anonderm.publish.blocks import interval
from anonderm.publish.charts import number
from anonderm.publish.config import ExportConfig
from anonderm.publish.keys import headlines
from anonderm.publish.templates import environment

# Names of licences as the hub spells them; anything else is "other", with the name beside it.
_HUB_LICENCES = ("apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0")
_HUB_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(config: ExportConfig, faces: FaceSet, scores: tuple[Scores, ...], licence: str) -> str:
    """Markdown: what the set is, how it was made, how good it is, and what it must not be used for."""
    template = environment().get_template("card.md.jinja")
    return template.render(
        config=config,
        licence=licence,
        hub_licence=licence.lower() if licence.lower() in _HUB_LICENCES else "other",
        size=next((name for limit, name in _HUB_SIZES if len(faces) < limit), "n>1M"),
        counts=list(faces.label_counts.items()),
        total=len(faces),
        pixels=faces.image(faces.faces[0]).shape[0],
        psis=sorted({face.psi for face in faces if face.psi is not None}),
        generators=sorted({face.checkpoint for face in faces if face.checkpoint is not None}),
        headlines=[(words, number(s.value), interval(s), s.n) for words, s in headlines(scores)],
        scores=[
            (name, number(s.value), interval(s), s.n, s.note)
            for each in scores
            for name, s in each.scores.items()
        ],
        version=__version__,
    )
