"""Stages that evaluate classifiers and synthetic faces, and the privacy audit."""

from dataclasses import replace
from functools import partial

from anonderm.core.cost import FaceCost
from anonderm.stages.stage import Input, Stage

_REAL = Input("faces", "The real faces, with splits.")
_SYNTHETIC = Input("faces", "The synthetic faces.")
_DETECTOR = Input("checkpoint", "A `train-detector` checkpoint.", made_by=("train-detector",))
_CLASSIFIER = Input("checkpoint", "A classifier checkpoint.", made_by=("train-classifier",))
_evaluation = partial(Stage, output="result")

EVALUATION = (
    _evaluation(
        "evaluate fidelity",
        "Measure FID, KID, precision and recall, against a real-vs-real baseline.",
        "evaluate.fidelity:evaluate_fidelity",
        "evaluate.config:FidelityConfig",
        {"real": _REAL, "synthetic": _SYNTHETIC},
        common=("extractors", "neighbours", "max_faces", "seed"),
        cost=FaceCost(5.0, 0.003),
        needs="evaluate.planning:fidelity_needs",
    ),
    _evaluation(
        "evaluate realism",
        "Test whether classifiers can tell the synthetic faces from the real ones.",
        "evaluate.realism:evaluate_realism",
        "evaluate.config:RealismConfig",
        {"real": _REAL, "synthetic": _SYNTHETIC},
        common=("detector", "extractors", "folds", "epochs", "max_faces"),
        cost="evaluate.planning:realism_cost",
        needs="evaluate.planning:realism_needs",
    ),
    _evaluation(
        "evaluate utility",
        "Compare classifiers trained on synthetic and on real faces, on real test faces.",
        "evaluate.utility:evaluate_utility",
        "evaluate.config:UtilityConfig",
        {
            "real": _REAL,
            "trained_on_real": replace(_CLASSIFIER, help="A classifier trained on the real train split."),
            "trained_on_synthetic": replace(_CLASSIFIER, help="A classifier trained on synthetic faces."),
        },
        common=("bootstrap_samples", "saliency_faces", "seed"),
        cost=FaceCost(3.0, 0.0001, inference=1 / 3),
    ),
    _evaluation(
        "evaluate data-mix",
        "Train classifiers on mixes of real and synthetic faces; test them on real faces.",
        "experiments.data_mix.study:evaluate_data_mix",
        "experiments.data_mix.config:DataMixConfig",
        {
            "real": _REAL,
            "synthetic": _SYNTHETIC,
            "source_models": Input(
                "checkpoint",
                "The GANs and the grader behind the synthetic faces; their cards list their training data.",
                many=True,
                optional=True,
            ),
        },
        common=("ratios", "seeds", "lengths", "backbone", "epochs"),
        cost="experiments.data_mix.config:data_mix_cost",
        needs="classify.planning:backbone_needs",
        min_classes=2,
    ),
    _evaluation(
        "evaluate classifier",
        "Test a classifier on faces it was not trained on.",
        "evaluate.classifier:evaluate_classifier",
        "evaluate.config:ClassifierScoresConfig",
        {
            "faces": Input("faces", "The faces: the test split, or all of a set without splits."),
            "classifier": _CLASSIFIER,
        },
        common=("bootstrap_samples", "seed"),
        cost=FaceCost(3.0, 0.0001, inference=1 / 3),
    ),
    _evaluation(
        "evaluate saliency",
        "Measure how much of a classifier's saliency falls on lesions, against chance.",
        "evaluate.saliency:evaluate_saliency",
        "evaluate.config:SaliencyConfig",
        {
            "faces": Input("faces", "Faces with lesion boxes or skin masks: the test split, or all."),
            "classifier": _CLASSIFIER,
        },
        common=("explain", "tolerance", "max_faces", "sheet_faces", "bootstrap_samples"),
        cost=FaceCost(5.0, 0.0001, inference=1.0),
    ),
    _evaluation(
        "evaluate detector",
        "Test a lesion detector on faces with known boxes.",
        "evaluate.lesions.detector:evaluate_detector",
        "evaluate.config:DetectorScoresConfig",
        {"real": _REAL, "detector": _DETECTOR},
        common=("bootstrap_samples", "shown", "seed"),
        cost=FaceCost(3.0, 0.01),
    ),
    _evaluation(
        "evaluate lesions",
        "Compare the number, size and position of lesions on synthetic and real faces.",
        "evaluate.lesions.fidelity:evaluate_lesions",
        "evaluate.config:LesionFidelityConfig",
        {"real": _REAL, "synthetic": _SYNTHETIC, "detector": _DETECTOR},
        common=("max_faces", "shown", "seed"),
        cost=FaceCost(5.0, 0.01),
    ),
    _evaluation(
        "audit",
        "Attack the synthetic set: are training subjects re-identified more than controls?",
        "audit.audit:audit",
        "audit.config:AuditConfig",
        {
            "real": _REAL,
            "synthetic": _SYNTHETIC,
            "generators": Input(
                "checkpoint",
                "GANs whose weights may be released as well.",
                many=True,
                optional=True,
                made_by=("train-gan", "sweep-gan"),
            ),
            "others": Input(
                "faces", "Other photos of `real`'s subjects, not used for training.", optional=True
            ),
            "screen": Input(
                "run",
                "The run of `screen --privacy` that selected the faces, if any.",
                optional=True,
                made_by=("screen",),
            ),
        },
        common=("matchers", "arcface", "canaries", "min_people", "max_excess"),
        cost=FaceCost(15.0, 0.03),
    ),
    _evaluation(
        "audit-screen",
        "Audit the faces before and after `screen --privacy`, and compare the two audits.",
        "experiments.privacy_screen:audit_screen",
        "audit.config:AuditConfig",
        {
            "faces": Input("faces", "The faces that were screened.", positional=True),
            "screen": Input("run", "The run folder of `screen --privacy`.", made_by=("screen",)),
            "real": _REAL,
        },
        common=("matchers", "arcface", "canaries", "min_people", "max_excess"),
        cost=FaceCost(30.0, 0.06),
    ),
)
