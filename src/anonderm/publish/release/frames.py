"""What regulators ask, in plain words, and which of the audit's attacks speaks to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """`attacks`: the names of those that speak to it; the last question takes all that no other one does."""

    id: str
    title: str
    text: str
    attacks: tuple[str, ...]


QUESTIONS = (
    Question(
        "singling-out",
        "Can a person be singled out?",
        "The Article 29 Working Party (Opinion 05/2014) calls it singling out: some record isolates one "
        "person. Tried: for each person whose photos the generator learned from, is some synthetic face the "
        "same person in the eyes of a face matcher? The same was asked for people who were kept out of "
        "training, who can only be found by chance. What counts is how much more often the first are found "
        "than the second.",
        ("singling_out", "reproduction"),
    ),
    Question(
        "linkability",
        "Can records of one person be linked?",
        "Linkability, in the same opinion: two records are known to concern one person. Tried: given two "
        "photos of a person, do both lead to the same synthetic faces, more often for people in training "
        "than for others?",
        ("linkability",),
    ),
    Question(
        "inference",
        "Can something be inferred about a person?",
        "Inference, in the same opinion: an attribute is deduced with significant probability. Tried: does "
        "the synthetic face nearest to a person's photo give away that person's class, such as the severity "
        "of a disease, beyond what it gives away about people who were kept out?",
        ("inference",),
    ),
    Question(
        "membership",
        "Does the set betray who was in training, or repeat photos?",
        "That somebody's photo was used at all can say that the person was a patient. Membership attacks "
        "guess it from how near, or how crowded, the synthetic faces are around a photo; memorisation "
        "measures compare how close the set comes to training photos and to photos it never saw.",
        (),
    ),
)

WHITE_BOX = ("discriminator", "projection")  # attacks by somebody who has the weights

INTRUDER = (
    "The ICO's test imagines somebody with a reason to look: competent, with the internet and public "
    "records at hand, without special skills or burglary. Such a person compares the released faces with "
    "photos of a person they know, by eye or with face recognition software that anybody can install. That "
    "is what the attacks below do, with more help than the intruder has: they hold every training photo. "
    "What they leave out is knowledge of the kind that only a relative or a nurse has."
)

WEIGHTS = (
    "EDPB Opinion 28/2024 asks of a model that learned from personal data whether it is insignificantly "
    "likely, with all means reasonably likely to be used, that such data are extracted from it directly or "
    "obtained by queries. Somebody with the weights can draw without end, look inside and search for a "
    "face; so the rules are stricter, and passing the ones for pictures says nothing about them."
)

NO_WEIGHTS = (
    "Weights are not part of this release, and were not audited as such: nothing here speaks for giving "
    "them away."
)

LEFT_TO_PEOPLE = (
    "Are the people, the matchers and the number of photos in this audit enough for what could be at stake "
    "if it is wrong?",
    "Could somebody who knows a patient recognise more than software does: a scar, a tattoo, jewellery, a "
    "rare finding? Look at the audit's own report, which shows the closest pairs and stays in the house.",
    "Do the photos' consent and licences allow what is planned, and is there a way to be told of a "
    "recognised person?",
)
