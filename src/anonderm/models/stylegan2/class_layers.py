"""Convert the class-dependent layers of a base to those of a network with other classes.

K classes, D size of w, Z of z, F features before D's logit. A conditional network depends on the class in
three places: the class embeddings e_k = normalise(b + W_k / sqrt(K)); G's first mapping layer, whose input is
[z, e]; and D's logit, the product of a vector of size D with the mapped embedding l_k.

The rules, each of which makes the new network start as the base (layers divide by the square root of the
number of their inputs, for which the new weights compensate):

classes -> other classes  Classes of the same name keep their embedding; other embeddings start at random.
none -> classes           All classes start with one common embedding, whose effect on G the bias cancels; D's
                          logit is that of the base along the common l, and random orthogonally to it. The
                          embeddings then learn to distinguish the classes: they learn 100 times as fast as
                          the mapping layers, where weights that start at zero would take thousands of kimg.
classes -> none           The effect of one class embedding is added to the bias: that of the label to be
                          trained on if the base has it, otherwise the mean over its classes.
"""

import math
from typing import cast

import torch
from torch import Tensor

from anonderm.models.stylegan2.discriminator import Discriminator
from anonderm.models.stylegan2.generator import Generator
from anonderm.models.stylegan2.layers import Linear, Mapping

# Prefixes of the tensors that depend on the classes, which are filled below.
CLASS_LAYERS_G = ("mapping.embed.", "mapping.layers.0.")
CLASS_LAYERS_D = ("mapping.embed.", "logit.")


@torch.no_grad()
def fit_generator(generator: Generator, base: Generator, label: str | None) -> None:
    """Fill the class layers of G from a base with other classes; `label`: the one to train on, if any."""
    first, first_base = (cast("Linear", network.mapping.layers[0]) for network in (generator, base))
    z, inputs, inputs_base = generator.arch.z_dim, first.weight.shape[1], first_base.weight.shape[1]
    if (z, len(first.weight)) != (base.arch.z_dim, len(first_base.weight)):
        return  # other widths: nothing fits, and the random weights stay
    first.bias.copy_(first_base.bias)
    first.weight[:, :z] = first_base.weight[:, :z] * math.sqrt(inputs / inputs_base)
    if base.mapping.embed is not None:
        effect_DK = first_base.weight[:, z:] @ base.mapping.embeddings().T / math.sqrt(inputs_base)
        if generator.mapping.embed is None:
            first.bias.add_(_of_label(effect_DK, base.arch.classes, label))
            return
        first.weight[:, z:] = first_base.weight[:, z:]
    _fit_embeddings(generator.mapping, base.mapping, generator.arch.classes, base.arch.classes)
    if base.mapping.embed is None:
        first.bias.sub_(first.weight[:, z:] @ generator.mapping.embeddings()[0] / math.sqrt(inputs))


@torch.no_grad()
def fit_discriminator(discriminator: Discriminator, base: Discriminator, label: str | None) -> None:
    """Fill the class layers of D from a base with other classes; `label`: the one to train on, if any."""
    logit, logit_base = discriminator.logit, base.logit
    same_widths = discriminator.arch.label_size == base.arch.label_size
    if logit.weight.shape[1] != logit_base.weight.shape[1] or not same_widths:
        return
    root = math.sqrt(discriminator.arch.label_size)
    if discriminator.mapping is None:
        mapped_DK = base.class_vectors().T / root
        mapped_D = _of_label(mapped_DK, base.arch.classes, label)
        logit.weight.copy_(mapped_D[None] @ logit_base.weight)
        logit.bias.copy_(mapped_D[None] @ logit_base.bias)
        return
    _fit_embeddings(discriminator.mapping, base.mapping, discriminator.arch.classes, base.arch.classes)
    if base.mapping is not None:
        logit.weight.copy_(logit_base.weight)
        logit.bias.copy_(logit_base.bias)
        return
    common_D = discriminator.class_vectors()[0]
    along_D = common_D / common_D.square().sum()
    logit.weight.add_(along_D[:, None] * (root * logit_base.weight - common_D @ logit.weight))
    logit.bias.copy_(along_D * root * logit_base.bias)


def _of_label(values_DK: Tensor, classes: tuple[str, ...], label: str | None) -> Tensor:
    return values_DK[:, classes.index(label)] if label in classes else values_DK.mean(dim=1)


def _fit_embeddings(
    mapping: Mapping, base: Mapping | None, classes: tuple[str, ...], base_classes: tuple[str, ...]
) -> None:
    """Copy the embeddings of common classes; if the base has none, make all embeddings equal."""
    embed = cast("Linear", mapping.embed)
    weight, bias = embed.weight, embed.bias
    if base is None or base.embed is None:
        bias.copy_(weight[:, 0])
        weight.zero_()
        return
    bias.copy_(base.embed.bias)
    for column, name in enumerate(classes):
        if name in base_classes:
            scale = math.sqrt(len(classes) / len(base_classes))
            weight[:, column] = base.embed.weight[:, base_classes.index(name)] * scale


def describe_classes(base: tuple[str, ...], own: tuple[str, ...], label: str | None) -> str:
    """A line for the log."""
    if not base:
        return f"classes {', '.join(own)}: all start as the base, which has none"
    if not own:
        source = label if label in base else f"the mean of {', '.join(base)}"
        return f"classes: none; starts as {source} of the base"
    kept = ", ".join(name for name in own if name in base) or "none"
    fresh = ", ".join(name for name in own if name not in base) or "none"
    dropped = ", ".join(name for name in base if name not in own) or "none"
    return f"classes: embeddings kept: {kept}; fresh: {fresh}; dropped: {dropped}"
