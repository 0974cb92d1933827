"""The phantom: frontal faces drawn from a described person and skin condition, with known truth."""

from anonderm.phantom.condition import CLASSES, Condition, Spot, sample_condition
from anonderm.phantom.draw import Drawing, draw
from anonderm.phantom.person import ITA_BANDS, Person, sample_person, skin_lab
from anonderm.phantom.photo import Photo, sample_photo

__all__ = [
    "CLASSES",
    "ITA_BANDS",
    "Condition",
    "Drawing",
    "Person",
    "Photo",
    "Spot",
    "draw",
    "sample_condition",
    "sample_person",
    "sample_photo",
    "skin_lab",
]
