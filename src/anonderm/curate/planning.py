"""What the stages of this package cost."""

from anonderm.core.cost import Cost, FaceCost, Flow, Workload
from anonderm.curate.config import GradeConfig, ScreenConfig

_SCREEN = FaceCost(2.0, 0.003)
_GRADE = FaceCost(2.0, 0.0001, inference=1 / 3)
_PASS_SCREEN = 0.98  # share of the faces that pass
_PASS_GRADE = 0.9


def screen_cost(config: ScreenConfig, work: Workload) -> Cost:
    return _SCREEN(config, work, Flow(int(work.faces.count * _PASS_SCREEN), work.faces.size))


def grade_cost(config: GradeConfig, work: Workload) -> Cost:
    count = sum(flow.count for flow in work.inputs["faces"])
    most = (config.max_per_class or count) * work.classes
    return _GRADE(config, work, Flow(min(int(count * _PASS_GRADE), most), work.faces.size))
