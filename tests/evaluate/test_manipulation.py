from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from anonderm.core.errors import BrokenArtefact
from anonderm.core.faceset import FaceSetWriter
from anonderm.core.records import Face
from anonderm.evaluate.manipulation import SIZE, load_detector, manipulation_scores

# Logits of the authors' own classes (polimi-ispl/icpr2020dfdc on efficientnet_pytorch 0.7.1) for two images
# of noise, their tensors filled as `published` fills them.
LOGITS = {
    "EfficientNetB4": [1.735977, 0.569596],
    "EfficientNetAutoAttB4": [2.269993, 2.258019],
    "EfficientNetB4ST": [-0.960823, -1.046748],
    "EfficientNetAutoAttB4ST": [-2.156724, -2.211884],
}
# Of each stage of EfficientNet-B4: blocks, kernel, expansion, channels out.
STAGES = (
    (2, 3, 1, 24),
    (4, 3, 6, 32),
    (4, 5, 6, 56),
    (6, 3, 6, 112),
    (6, 5, 6, 160),
    (8, 5, 6, 272),
    (2, 3, 6, 448),
)


def normalisation(name: str, width: int) -> dict[str, tuple[int, ...]]:
    kinds = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{kind}": (width,) for kind in kinds} | {f"{name}.num_batches_tracked": ()}


def block(name: str, width_in: int, width: int, kernel: int, expansion: int) -> dict[str, tuple[int, ...]]:
    inner, squeezed = width_in * expansion, max(1, width_in // 4)
    shapes: dict[str, tuple[int, ...]] = {}
    if expansion > 1:
        shapes |= {f"{name}._expand_conv.weight": (inner, width_in, 1, 1)} | normalisation(
            f"{name}._bn0", inner
        )
    shapes |= {f"{name}._depthwise_conv.weight": (inner, 1, kernel, kernel)}
    shapes |= normalisation(f"{name}._bn1", inner)
    shapes |= {f"{name}._se_reduce.weight": (squeezed, inner, 1, 1), f"{name}._se_reduce.bias": (squeezed,)}
    shapes |= {f"{name}._se_expand.weight": (inner, squeezed, 1, 1), f"{name}._se_expand.bias": (inner,)}
    shapes |= {f"{name}._project_conv.weight": (width, inner, 1, 1)}
    return shapes | normalisation(f"{name}._bn2", width)


def published_shapes(variant: str) -> dict[str, tuple[int, ...]]:
    """Every tensor of a published file, by the names of efficientnet_pytorch."""
    shapes: dict[str, tuple[int, ...]] = {"efficientnet._conv_stem.weight": (48, 3, 3, 3)}
    shapes |= normalisation("efficientnet._bn0", 48)
    index, width_in = 0, 48
    for count, kernel, expansion, width in STAGES:
        for _ in range(count):
            shapes |= block(f"efficientnet._blocks.{index}", width_in, width, kernel, expansion)
            index, width_in = index + 1, width
    shapes |= {"efficientnet._conv_head.weight": (1792, 448, 1, 1)} | normalisation("efficientnet._bn1", 1792)
    if "AutoAtt" in variant:
        shapes |= {"efficientnet.attconv.weight": (1, 56, 1, 1), "efficientnet.attconv.bias": (1,)}
    linear = {"weight": (1, 1792), "bias": (1,)}
    shapes |= {f"classifier.{kind}": shape for kind, shape in linear.items()}
    if variant.endswith("ST"):
        shapes = {f"feat_ext.{name}": shape for name, shape in shapes.items()}
        shapes |= normalisation("classifier.0", 1792)
        shapes |= {f"classifier.1.{kind}": shape for kind, shape in linear.items()}
    return shapes


def published(variant: str) -> dict[str, torch.Tensor]:
    """Filled in the order of the names, so that signals neither vanish nor explode."""
    state = {}
    for index, (name, shape) in enumerate(sorted(published_shapes(variant).items())):
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
            continue
        values = torch.randn(shape, generator=torch.Generator().manual_seed(index))
        if name.endswith("running_var"):
            values = values.abs() + 0.5
        elif name.endswith(("bias", "running_mean")):
            values = values * 0.1
        elif values.ndim == 1:
            values = 1 + 0.1 * values
        else:
            values = values / values[0].numel() ** 0.5 * 1.5
        state[name] = values
    return state


def saved(folder: Path, variant: str) -> Path:
    torch.save(published(variant), folder / f"{variant}.pth")
    return folder / f"{variant}.pth"


@pytest.mark.parametrize("variant", ["EfficientNetB4", "EfficientNetAutoAttB4ST"])
def test_published_weights_give_the_logits_of_the_authors_network(variant: str, tmp_path: Path):
    detector, found = load_detector(saved(tmp_path, variant))
    noise_NCHW = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(99)) * 2 - 1
    with torch.inference_mode():
        logits = detector(noise_NCHW).tolist()
    assert found == variant
    assert logits == pytest.approx(LOGITS[variant], abs=1e-3)


def test_scores_do_not_depend_on_the_batch(tmp_path: Path):
    detector, _ = load_detector(saved(tmp_path, "EfficientNetB4"))
    writer = FaceSetWriter(tmp_path / "faces")
    images = np.random.default_rng(0).integers(0, 256, (2, 80, 80, 3), dtype=np.uint8)
    for index, image in enumerate(images):
        writer.add(image, Face(id=f"f{index}"))
    faces = writer.finish()
    together = manipulation_scores(detector, faces)
    assert together == pytest.approx(
        [manipulation_scores(detector, faces.where(ids={face.id}))[0] for face in faces], abs=1e-5
    )
    assert together[0] != together[1]
    assert ((together >= 0) & (together <= 1)).all()


def test_other_weights_are_refused_by_name(tmp_path: Path):
    state = published("EfficientNetB4")
    state.pop("efficientnet._blocks.7._bn1.weight")
    torch.save(state, tmp_path / "cut.pth")
    with pytest.raises(BrokenArtefact, match=r"cut\.pth"):
        load_detector(tmp_path / "cut.pth")
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(BrokenArtefact, match=r"other\.pth"):
        load_detector(tmp_path / "other.pth")
