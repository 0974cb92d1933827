"""Stages that draw faces from GAN checkpoints and edit them in latent space."""

from anonderm.core.cost import FaceCost
from anonderm.stages.stage import Input, Stage

_TRAINING = ("train-gan", "sweep-gan")
_GAN = Input("checkpoint", "A GAN checkpoint.", positional=True, made_by=_TRAINING)
_GANS = Input("checkpoint", "GAN checkpoints.", many=True, positional=True, made_by=_TRAINING)

DRAWING = (
    Stage(
        "generate",
        "Draw synthetic faces from GAN checkpoints; a seed always gives the same face.",
        "gan.generate:generate",
        "gan.config:GenerateConfig",
        {"checkpoints": _GANS},
        output="faces",
        common=("seeds", "psi", "classes", "noise", "psi_layers"),
        cost="gan.planning:generate_cost",
        parallel=True,
    ),
    Stage(
        "latents mix",
        "Mix styles: a grid of faces that take some style layers from others.",
        "gan.latents.mix:mix",
        "gan.latents.config:MixConfig",
        {"checkpoint": _GAN},
        common=("rows", "columns", "layers", "psi", "label"),
        cost=FaceCost(2.0),
    ),
    Stage(
        "latents interpolate",
        "Write a video that interpolates from face to face.",
        "gan.latents.interpolate:interpolate",
        "gan.latents.config:InterpolateConfig",
        {"checkpoint": _GAN},
        common=("seeds", "frames", "fps", "psi", "label"),
        cost=FaceCost(5.0),
    ),
    Stage(
        "latents project",
        "Project images into latent space: find the latents that reproduce them best.",
        "gan.latents.project:project_images",
        "gan.latents.config:ProjectConfig",
        {"checkpoint": _GAN, "faces": Input("images", "The images to project.")},
        common=("steps", "distance", "learning_rate", "batch", "label"),
        cost="gan.planning:project_cost",
    ),
    Stage(
        "latents sefa",
        "Find the directions that change a face most, by factorising the weights (SeFa).",
        "gan.latents.sefa:sefa",
        "gan.latents.config:SefaConfig",
        {"checkpoint": _GAN},
        common=("layers", "directions", "alpha", "seeds", "label"),
        cost=FaceCost(3.0),
    ),
    Stage(
        "latents class-directions",
        "Find the directions that lead from one class to another.",
        "gan.latents.class_directions:class_directions",
        "gan.latents.config:ClassDirectionsConfig",
        {
            "checkpoints": _GANS,
            "faces": Input("faces", "Graded faces from the generator, if there is only one.", optional=True),
        },
        common=("origin", "samples", "layers", "alpha", "seeds"),
        cost=FaceCost(3.0),
    ),
)
