"""The stages: a table of them, and how one is run."""

from anonderm.stages.run import Artefact, Reference, open_artefact, run_stage
from anonderm.stages.stage import Input, Kind, Stage
from anonderm.stages.table import STAGES

__all__ = ["STAGES", "Artefact", "Input", "Kind", "Reference", "Stage", "open_artefact", "run_stage"]
