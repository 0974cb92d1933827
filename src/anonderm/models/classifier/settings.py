"""Names of heads and of initial weights. Imports no torch."""

from typing import Literal

HeadName = Literal["softmax", "corn", "label-distribution", "multi-label"]
WeightsName = Literal["random", "imagenet", "imagenet-if-found"]
