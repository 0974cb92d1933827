"""The questions of regulators, in plain words, and the attacks that answer each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """`attacks`: the names of those that answer it; the last question takes all that no other does."""

    id: str
    title: str
    text: str
    attacks: tuple[str, ...]


QUESTIONS = (
    Question(
        "singling-out",
        "Can a person be singled out?",
        "Article 29 Working Party, Opinion 05/2014: singling out means that some record isolates one person. "
        "Tested here: for each training subject (member), does a face matcher take some synthetic face for "
        "the same person? The same test is run on people who were held out of training (non-members), whom "
        "a match can only concern by chance. What counts is how much more often members are matched.",
        ("singling_out", "reproduction"),
    ),
    Question(
        "linkability",
        "Can records of one person be linked?",
        "Linkability, in the same opinion: two records are known to concern one person. Tested here: do two "
        "photos of a person lead to the same synthetic faces, more often for members than for non-members?",
        ("linkability",),
    ),
    Question(
        "inference",
        "Can an attribute of a person be inferred?",
        "Inference, in the same opinion: an attribute is deduced with significant probability. Tested here: "
        "does the synthetic face nearest to a person's photo reveal that person's class, such as the "
        "severity of a disease, more often for members than for non-members?",
        ("attribute_inference",),
    ),
    Question(
        "membership",
        "Does the set reveal who was in training, or repeat photos?",
        "That a person's photo was used for training may already reveal that the person was a patient. "
        "Membership inference predicts it from the distance or density of the synthetic faces around a "
        "photo; memorisation measures compare the distances of the set to training photos and to held-out "
        "photos.",
        (),
    ),
)

WHITE_BOX = ("discriminator", "projection")  # attacks that need the weights

INTRUDER = (
    "The ICO's test imagines a motivated intruder: a competent person with access to the internet and "
    "public records, but without special skills or criminal means, who compares the released faces with "
    "photos of somebody they know, by eye or with face recognition software that anybody can install. The "
    "attacks below do the same with an advantage that an intruder lacks: they have every training photo. "
    "They do not cover knowledge that only a relative or a nurse has."
)

WEIGHTS = (
    "EDPB Opinion 28/2024 asks whether, with all means reasonably likely to be used, it is insignificantly "
    "likely that personal data are extracted from a model directly or obtained through queries. Whoever has "
    "the weights can generate without limit, inspect the model and search for a face. The rules for weights "
    "are therefore stricter, and passing the rules for images is no evidence for them."
)

NO_WEIGHTS = (
    "Weights are not part of this release and were not audited; nothing here supports releasing them."
)

OPEN_QUESTIONS = (
    "Are the people, matchers and photos of this audit sufficient, given the harm if it is wrong?",
    "Could somebody who knows a patient recognise more than software does: a scar, a tattoo, jewellery, a "
    "rare finding? The report of the audit shows the closest pairs; it must remain internal.",
    "Do the consent and the licences of the photos permit the planned release, and can a recognised person "
    "be reported to the publisher?",
)
