"""Settings of the export."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from anonderm.core.config import Positive, check, check_bounds

Format = Literal["imagefolder", "parquet", "webdataset", "stylegan", "coco"]


@dataclass(frozen=True)
class ExportConfig:
    """A folder of synthetic faces that common tools load as a data set, if the audit allows it."""

    title: str = "Synthetic face data set"
    """Heading of the data set card."""
    description: str = "Synthetic photos of faces, labelled by skin condition."
    """First sentence of the data set card."""
    creator: str = ""
    """Who publishes the set and is responsible for it, with contact details."""
    version: str = "1.0.0"
    """Version of the set."""
    published: str = ""
    """Date of publication, YYYY-MM-DD."""
    licence: str = ""
    """Licence of the release, such as CC-BY-4.0; empty: that of the faces."""
    formats: tuple[Format, ...] = ("imagefolder",)
    """imagefolder and parquet (Hugging Face), webdataset (tar shards), stylegan (the ZIP archive of NVIDIA's
    StyleGAN programs), coco (lesion boxes of the imagefolder's files)."""
    shard_mb: Positive = 256.0
    """Largest size of a shard of parquet or webdataset, in megabytes of uncompressed pixels."""
    override_name: str = ""
    """Who overrides an audit that does not allow the release; recorded in the release."""
    override_reason: str = ""
    """Why the audit is overridden; recorded in the release."""
    override_date: str = ""
    """Date of that decision, YYYY-MM-DD; recorded in the release."""
    c2pa_certificate: Path | None = None
    """Sign every picture with C2PA: PEM file of your certificate chain, yours first."""
    c2pa_key: Path | None = None
    """PEM file of the certificate's private key, without password."""

    def __post_init__(self) -> None:
        check_bounds(self)
        check(
            bool(self.title.strip()),
            "title: must not be empty.",
            "Give the name of the data set, as in --title 'Synthetic acne faces'.",
        )
        check(
            bool(self.version.strip()),
            "version: must not be empty.",
            "Give a version, as in --version 1.0.0.",
        )
        _check_date("published", self.published)
        self._check_formats()
        self._check_override()
        check(
            (self.c2pa_certificate is None) == (self.c2pa_key is None),
            "c2pa_certificate and c2pa_key must be given together.",
            "Give both files, or neither.",
        )

    def _check_formats(self) -> None:
        check(len(self.formats) > 0, "formats is empty.", "Choose at least imagefolder.")
        check(
            len(set(self.formats)) == len(self.formats),
            f"formats = {self.formats}: named twice.",
            "Name each format once.",
        )
        check(
            "coco" not in self.formats or "imagefolder" in self.formats,
            "formats: coco needs imagefolder, whose files its boxes refer to.",
            "Add imagefolder.",
        )

    def _check_override(self) -> None:
        given = (self.override_name, self.override_reason, self.override_date)
        check(
            all(each.strip() for each in given) or not any(given),
            "An override needs override_name, override_reason and override_date.",
            "All three are recorded in the release. Give all, or none.",
        )
        check(
            all(each.isprintable() for each in given),
            "override: name, reason and date must each be one line of printable text.",
            "Remove line breaks and control characters.",
        )
        _check_date("override_date", self.override_date)


def _check_date(name: str, text: str) -> None:
    """Raise ConfigError unless the text is empty or YYYY-MM-DD."""
    try:
        is_date = not text or date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_date = False
    check(is_date, f"{name} = {text!r}: not YYYY-MM-DD.", "An example: 2026-01-31.")
