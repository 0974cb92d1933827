"""Stages that turn photos into aligned faces with masks and boxes."""

from anonderm.core.cost import FaceCost
from anonderm.stages.stage import Input, Stage

PREPARATION = (
    Stage(
        "phantom",
        "Draw phantom faces, with known classes, lesions, skin masks and subjects.",
        "ingest.phantom:phantom",
        "ingest.config:PhantomConfig",
        output="faces",
        common=("people", "classes", "size", "lesion_scale", "seed"),
        cost="ingest.planning:phantom_cost",
    ),
    Stage(
        "ingest",
        "Read the photos of a data set into a FaceSet, with splits by subject.",
        "ingest.ingest:ingest",
        "ingest.config:IngestConfig",
        output="faces",
        common=("source", "size", "whole", "subjects", "skip_unreadable"),
        cost="ingest.planning:ingest_cost",
        labels="ingest.planning:labels",
        needs="ingest.planning:ingest_needs",
    ),
    Stage(
        "align",
        "Crop the faces out of whole photos, aligned as in FFHQ.",
        "ingest.align.align:align",
        "ingest.config:AlignConfig",
        {"faces": Input("faces", "Whole photos, from `ingest --whole`.", positional=True)},
        output="faces",
        common=("size", "several", "fallback", "points", "model"),
        cost=FaceCost(2.0, 0.5, any_size=True, resizes=True),
        needs="ingest.planning:align_needs",
    ),
    Stage(
        "restore",
        "Bring faces to one size: downsample large ones, upsample small ones with a restorer.",
        "ingest.restore.restore:restore",
        "ingest.config:RestoreConfig",
        {"faces": Input("faces", "Aligned faces.")},
        output="faces",
        common=("size", "restorer", "weights", "points", "batch"),
        cost="ingest.planning:restore_cost",
        needs="ingest.planning:restore_needs",
    ),
    Stage(
        "skin",
        "Segment the skin of every face at full resolution, and measure its tone.",
        "skin.skin:segment_skin",
        "skin.config:SkinConfig",
        {
            "faces": Input("faces", "Aligned faces or whole photos.", positional=True),
            "network": Input(
                "checkpoint", "A checkpoint from `train-skin`.", optional=True, made_by=("train-skin",)
            ),
        },
        output="faces",
        common=("weights", "size", "keep_masks", "min_skin", "fallback"),
        cost=FaceCost(2.0, 0.25, any_size=True),
        needs="skin.planning:skin_needs",
    ),
    Stage(
        "mask-and-crop",
        "Keep only the skin: clear all other pixels and crop to its bounding box.",
        "skin.mask_and_crop:mask_and_crop",
        "skin.config:MaskAndCropConfig",
        {"faces": Input("faces", "Faces with skin masks, from `skin`.", positional=True)},
        output="faces",
        common=("size", "min_skin", "fallback"),
        cost=FaceCost(0.5, 0.001, resizes=True),
    ),
    Stage(
        "detect-lesions",
        "Detect lesions on faces and store their boxes.",
        "classify.lesions.detect_lesions:detect_lesions",
        "classify.lesions.config:DetectLesionsConfig",
        {
            "faces": Input("faces", "The faces on which to detect lesions."),
            "detector": Input("checkpoint", "A `train-detector` checkpoint.", made_by=("train-detector",)),
        },
        output="faces",
        common=("threshold",),
        cost=FaceCost(1.0, 0.01),
    ),
)
