"""What the data-mix study costs."""

from __future__ import annotations

from anonderm.classify.planning import face_seconds
from anonderm.core.cost import Cost, Workload
from anonderm.experiments.data_mix.config import DataMixConfig


def data_mix_cost(config: DataMixConfig, work: Workload) -> Cost:
    shown = config.seeds * config.epochs * _shown_in_all_arms(config, work.faces.count)
    return Cost(
        work.faces, measured_s=shown * face_seconds(config.classifier(), config.size or work.faces.size)
    )


def _shown_in_all_arms(config: DataMixConfig, real: int) -> float:
    """Faces shown in an epoch, summed over the arms."""
    if config.lengths == "steps":
        return (4 + len(config.ratios)) * (config.epoch_faces or real)
    return real * (4 + sum(1 + ratio for ratio in config.ratios))
