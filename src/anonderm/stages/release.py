"""Stages that write a report or a data set for other people."""

from anonderm.core.cost import FaceCost
from anonderm.stages.stage import Input, Stage

RELEASE = (
    Stage(
        "report",
        "Write one HTML page about a whole run.",
        "publish.report:report",
        "publish.config:ReportConfig",
        {"runs": Input("run", "Run folders, in the order in which they appear in the report.", many=True)},
        common=("title", "show_real", "faces_per_class"),
        cost=FaceCost(2.0),
    ),
    Stage(
        "export",
        "Write the synthetic set as a public data set, if its audit allows a release.",
        "publish.release.export:export",
        "publish.release.config:ExportConfig",
        {
            "faces": Input("faces", "The synthetic faces."),
            "audit": Input("result", "The audit of exactly these faces.", optional=True, made_by=("audit",)),
            "source_models": Input(
                "checkpoint",
                "The GANs and the grader behind the faces; the card states their licences.",
                many=True,
                optional=True,
            ),
            "scores": Input("result", "Results to state on the data set card.", many=True, optional=True),
        },
        common=("title", "description", "creator", "licence", "formats"),
        cost=FaceCost(0.5, 0.0015),
    ),
    Stage(
        "export-boxes",
        "Write faces with lesion boxes as YOLO and COCO data sets.",
        "publish.export_boxes:export_boxes",
        "publish.export_boxes:ExportBoxesConfig",
        {"faces": Input("faces", "The faces, with lesion boxes.")},
        common=("formats",),
        cost=FaceCost(0.5, 0.0015),
    ),
)
