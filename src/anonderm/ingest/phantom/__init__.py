"""The phantom: frontal faces drawn from a described person and skin condition, with known truth."""

from anonderm.ingest.phantom.condition import CLASSES, Condition, Spot, sample_condition
from anonderm.ingest.phantom.draw import Drawing, draw
from anonderm.ingest.phantom.person import ITA_BANDS, Person, sample_person, skin_lab
from anonderm.ingest.phantom.photo import Photo, sample_photo
from anonderm.ingest.phantom.stage import phantom

__all__ = [
    "CLASSES",
    "ITA_BANDS",
    "Condition",
    "Drawing",
    "Person",
    "Photo",
    "Spot",
    "draw",
    "phantom",
    "sample_condition",
    "sample_person",
    "sample_photo",
    "skin_lab",
]
