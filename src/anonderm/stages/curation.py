"""Stages that select and label synthetic faces."""

from anonderm.stages.stage import Input, Stage

CURATION = (
    Stage(
        "screen",
        "Reject deformed faces, artefacts, duplicates, and near-copies of training faces.",
        "curate.screen:screen",
        "curate.config:ScreenConfig",
        {
            "faces": Input("faces", "The synthetic faces."),
            "training": Input("faces", "The real faces on which the GAN was trained."),
        },
        output="faces",
        common=("artefact_margin", "deformed_factor", "duplicate_factor", "privacy", "matchers"),
        cost="curate.planning:screen_cost",
    ),
    Stage(
        "grade",
        "Label synthetic faces with a classifier, and reject those of low confidence.",
        "curate.grade:grade",
        "curate.config:GradeConfig",
        {
            "faces": Input("faces", "The synthetic faces; classes are filled in this order.", many=True),
            "classifier": Input("checkpoint", "A classifier checkpoint.", made_by=("train-classifier",)),
        },
        output="faces",
        common=("min_confidence", "match_labels", "min_per_class", "max_per_class"),
        cost="curate.planning:grade_cost",
    ),
)
