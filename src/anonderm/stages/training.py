"""Stages that train a network."""

from anonderm.stages.stage import Input, Stage

_GAN_INPUTS = {
    "faces": Input("faces", "The faces to train on; the test split is never used."),
    "base": Input(
        "checkpoint",
        "A GAN checkpoint to start from, such as phantom-64.",
        optional=True,
        made_by=("train-gan", "sweep-gan"),
    ),
}

TRAINING = (
    Stage(
        "train-gan",
        "Train a StyleGAN2 with adaptive augmentation, from scratch or a base checkpoint.",
        "gan.train:train_gan",
        "gan.config:TrainGanConfig",
        _GAN_INPUTS,
        output="checkpoint",
        common=("kimg", "preset", "label", "conditional", "batch"),
        cost="gan.planning:train_gan_cost",
        needs="gan.planning:train_gan_needs",
        parallel=True,
    ),
    Stage(
        "sweep-gan",
        "Train one GAN for every combination of chosen settings, and compare them.",
        "experiments.gan_sweep.sweep:sweep_gan",
        "experiments.gan_sweep.config:SweepGanConfig",
        _GAN_INPUTS,
        output="checkpoint",
        common=("sweep", "jobs", "kimg", "preset", "batch"),
        cost="experiments.gan_sweep.config:sweep_gan_cost",
        needs="gan.planning:train_gan_needs",
    ),
    Stage(
        "train-classifier",
        "Train a CNN classifier on the train split, or on all of a synthetic FaceSet.",
        "classify.train_classifier:train_classifier",
        "classify.config:TrainClassifierConfig",
        {"faces": Input("faces", "The labelled faces to train on.")},
        output="checkpoint",
        common=("backbone", "weights", "size", "epochs", "learning_rate"),
        cost="classify.planning:train_classifier_cost",
        needs="classify.planning:backbone_needs",
        min_classes=2,
        parallel=True,
    ),
    Stage(
        "train-detector",
        "Train a lesion detector on the train split of a FaceSet with lesion boxes.",
        "classify.lesions.train_detector:train_detector",
        "classify.lesions.config:TrainDetectorConfig",
        {"faces": Input("faces", "The faces to train on, with lesion boxes.")},
        output="checkpoint",
        common=("network", "weights_file", "size", "steps", "batch"),
        cost="classify.planning:train_detector_cost",
    ),
    Stage(
        "train-skin",
        "Train a network that segments facial skin, on faces with skin masks.",
        "skin.train_skin:train_skin",
        "skin.config:TrainSkinConfig",
        {
            "faces": Input("faces", "Faces with skin masks; the test split serves only to test the network."),
            "base": Input(
                "checkpoint",
                "A checkpoint of `train-skin` to start from.",
                optional=True,
                made_by=("train-skin",),
            ),
        },
        output="checkpoint",
        common=("size", "width", "steps", "batch", "learning_rate"),
        cost="skin.planning:train_skin_cost",
    ),
    Stage(
        "train-encoder",
        "Train the face embedding for the fidelity and privacy metrics, on phantom faces.",
        "evaluate.encoder.train:train_encoder",
        "evaluate.config:EncoderConfig",
        {"faces": Input("faces", "Phantom faces, several photos of each subject.")},
        output="checkpoint",
        common=("steps", "people", "learning_rate"),
        cost="evaluate.planning:train_encoder_cost",
    ),
)
