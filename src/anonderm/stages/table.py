"""The table of stages, in the order in which `anonderm --help` lists them."""

from anonderm.stages.curation import CURATION
from anonderm.stages.drawing import DRAWING
from anonderm.stages.evaluation import EVALUATION
from anonderm.stages.preparation import PREPARATION
from anonderm.stages.release import RELEASE
from anonderm.stages.training import TRAINING

STAGES_BY_TASK = {
    "Prepare photos": PREPARATION,
    "Train models": TRAINING,
    "Draw and edit faces": DRAWING,
    "Curate synthetic faces": CURATION,
    "Evaluate and audit": EVALUATION,
    "Report and release": RELEASE,
}
STAGES = {stage.name: stage for stages in STAGES_BY_TASK.values() for stage in stages}
