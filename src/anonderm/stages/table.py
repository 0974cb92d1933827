"""The table of stages.

Reading this file imports no stage: functions and configuration classes are named, and imported when needed.
"""

from __future__ import annotations

from anonderm.stages.stage import Input, Stage

_REAL = Input("faces", "The real faces: a FaceSet with splits.")
_SYNTHETIC = Input("faces", "The synthetic faces.")
_DETECTOR = Input("checkpoint", "A lesion detector.")
_GAN = Input("checkpoint", "A GAN checkpoint.", positional=True)

STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "phantom",
            "Draw phantom faces with known truth.",
            "ingest.phantoms:phantom",
            "ingest.config:PhantomConfig",
        ),
        Stage(
            "ingest",
            "Read the photos of a data set into a FaceSet with splits by person; many layouts are known.",
            "ingest.ingest:ingest",
            "ingest.config:IngestConfig",
        ),
        Stage(
            "align",
            "Cut the faces out of whole photos, all in the framing of FFHQ.",
            "ingest.align.stage:align",
            "ingest.align.config:AlignConfig",
            {"faces": Input("faces", "Whole photos: what `ingest --whole` made.", positional=True)},
        ),
        Stage(
            "restore",
            "Bring faces to one size: shrink larger ones, enlarge smaller ones with a restorer.",
            "ingest.restore.stage:restore",
            "ingest.config:RestoreConfig",
            {"faces": Input("faces", "The aligned faces.")},
        ),
        Stage(
            "skin",
            "Find the skin of every face, at the photo's own resolution, and measure its tone.",
            "skin.apply:find_skin",
            "skin.config:SkinConfig",
            {
                "faces": Input("faces", "The faces, aligned or whole photos.", positional=True),
                "network": Input("checkpoint", "A checkpoint of train-skin.", optional=True),
            },
        ),
        Stage(
            "mask-and-crop",
            "Keep only the skin: the rest is cleared, and the smallest box around it cut out.",
            "skin.crop:mask_and_crop",
            "skin.config:MaskAndCropConfig",
            {"faces": Input("faces", "Faces with skin masks: what `skin` made.", positional=True)},
        ),
        Stage(
            "train-skin",
            "Train a network that finds facial skin, from faces with skin masks.",
            "skin.train:train_skin",
            "skin.config:TrainSkinConfig",
            {
                "faces": Input("faces", "Faces with skin masks; those of split test are measured only."),
                "base": Input("checkpoint", "A skin checkpoint to start from.", optional=True),
            },
        ),
        Stage(
            "train-gan",
            "Train a StyleGAN2 with adaptive augmentation, from scratch or from a base checkpoint.",
            "gan.train:train_gan",
            "gan.config:TrainGanConfig",
            {
                "faces": Input("faces", "The faces to learn from; rows of the test split are never used."),
                "base": Input("checkpoint", "A GAN checkpoint to start from, or phantom-64.", optional=True),
            },
            parallel=True,
        ),
        Stage(
            "sweep-gan",
            "Train GANs with every combination of some settings; `train-gan --sweep` is the same.",
            "experiments.gan_sweep.sweep:sweep_gan",
            "experiments.gan_sweep.config:SweepGanConfig",
            {
                "faces": Input("faces", "The faces to learn from; rows of the test split are never used."),
                "base": Input("checkpoint", "A GAN checkpoint to start from, or phantom-64.", optional=True),
            },
        ),
        Stage(
            "generate",
            "Draw synthetic faces from one or more GAN checkpoints; a seed fixes an image.",
            "gan.generate:generate",
            "gan.config:GenerateConfig",
            {"checkpoints": Input("checkpoint", "GAN checkpoints.", many=True, positional=True)},
            parallel=True,
        ),
        Stage(
            "latents mix",
            "Style mixing: one sheet on which faces take some style layers from others.",
            "gan.latents.mix:mix",
            "gan.latents.config:MixConfig",
            {"checkpoint": _GAN},
        ),
        Stage(
            "latents interpolate",
            "A film of the smooth way from face to face.",
            "gan.latents.interpolate:interpolate",
            "gan.latents.config:InterpolateConfig",
            {"checkpoint": _GAN},
        ),
        Stage(
            "latents project",
            "Find the latents whose faces come nearest to given images.",
            "gan.latents.project:project_images",
            "gan.latents.config:ProjectConfig",
            {"checkpoint": _GAN, "faces": Input("images", "The images to find.")},
        ),
        Stage(
            "latents sefa",
            "Directions that change a face most, from the weights alone, and faces moved along them.",
            "gan.latents.sefa:sefa",
            "gan.latents.config:SefaConfig",
            {"checkpoint": _GAN},
        ),
        Stage(
            "latents class-directions",
            "Directions from class to class, and faces moved along them.",
            "gan.latents.class_directions:class_directions",
            "gan.latents.config:ClassDirectionsConfig",
            {
                "checkpoints": Input("checkpoint", "GAN checkpoints.", many=True, positional=True),
                "faces": Input("faces", "Graded faces drawn by the one generator given.", optional=True),
            },
        ),
        Stage(
            "screen",
            "Reject deformed and artefact faces, duplicates, and near-copies of training faces.",
            "curate.screen:screen",
            "curate.config:ScreenConfig",
            {"faces": _SYNTHETIC, "training": Input("faces", "The real faces the GAN learned from.")},
        ),
        Stage(
            "grade",
            "Sort faces into classes with a classifier and put the doubtful aside.",
            "curate.grade:grade",
            "curate.config:GradeConfig",
            {
                "faces": Input("faces", "The synthetic faces; a class is filled in this order.", many=True),
                "classifier": Input("checkpoint", "A classifier checkpoint."),
            },
        ),
        Stage(
            "train-classifier",
            "Train a CNN classifier on the train split of a FaceSet, or on all of a synthetic one.",
            "classify.train:train_classifier",
            "classify.config:TrainClassifierConfig",
            {"faces": Input("faces", "The labelled faces to learn from.")},
            parallel=True,
        ),
        Stage(
            "train-detector",
            "Train a lesion detector on the train split of a FaceSet with lesion boxes.",
            "classify.lesions.train:train_detector",
            "classify.lesions.config:TrainDetectorConfig",
            {"faces": Input("faces", "The faces to learn from, with lesion boxes.")},
        ),
        Stage(
            "detect-lesions",
            "Put the boxes that a lesion detector finds onto faces.",
            "classify.lesions.detect:detect_lesions",
            "classify.lesions.config:DetectLesionsConfig",
            {"faces": Input("faces", "The faces to search."), "detector": _DETECTOR},
        ),
        Stage(
            "train-encoder",
            "Train the face embedding behind fidelity and privacy numbers, on phantom faces.",
            "evaluate.encoder.train:train_encoder",
            "evaluate.config:EncoderConfig",
            {"faces": Input("faces", "Phantom faces, several photos a person.")},
        ),
        Stage(
            "evaluate classifier",
            "Test a classifier on faces it did not learn from: grades, lesion counts or lesion types.",
            "evaluate.classifier:evaluate_classifier",
            "evaluate.config:ClassifierScoresConfig",
            {
                "faces": Input("faces", "The faces: the test split, or all of a set without splits."),
                "classifier": Input("checkpoint", "A classifier checkpoint."),
            },
        ),
        Stage(
            "evaluate saliency",
            "Measure whether a classifier looks at the lesions, beside chance.",
            "evaluate.saliency:evaluate_saliency",
            "evaluate.config:SaliencyConfig",
            {
                "faces": Input("faces", "Faces with lesion boxes or skin masks: the test split, or all."),
                "classifier": Input("checkpoint", "A classifier checkpoint."),
            },
        ),
        Stage(
            "evaluate utility",
            "Test, on real faces, a classifier trained on synthetic faces beside one trained on real ones.",
            "evaluate.utility:evaluate_utility",
            "evaluate.config:UtilityConfig",
            {
                "real": _REAL,
                "trained_on_real": Input("checkpoint", "A classifier trained on the real train split."),
                "trained_on_synthetic": Input("checkpoint", "A classifier trained on synthetic faces only."),
            },
        ),
        Stage(
            "evaluate data-mix",
            "Train a classifier in every mix of real and synthetic faces, and test each on real ones.",
            "experiments.data_mix.study:evaluate_data_mix",
            "experiments.data_mix.config:DataMixConfig",
            {
                "real": _REAL,
                "synthetic": _SYNTHETIC,
                "source_models": Input(
                    "checkpoint",
                    "The GANs and the grader behind the synthetic faces: their cards tell what they saw.",
                    many=True,
                    optional=True,
                ),
            },
        ),
        Stage(
            "evaluate fidelity",
            "Measure how close the synthetic faces are to the real ones, beside the floor.",
            "evaluate.fidelity:evaluate_fidelity",
            "evaluate.config:FidelityConfig",
            {"real": _REAL, "synthetic": _SYNTHETIC},
        ),
        Stage(
            "evaluate detector",
            "Score a lesion detector on the test faces, whose boxes are known.",
            "evaluate.lesions.detector:evaluate_detector",
            "evaluate.lesions.config:DetectorScoresConfig",
            {"real": _REAL, "detector": _DETECTOR},
        ),
        Stage(
            "evaluate lesions",
            "Compare number, size and place of the lesions on synthetic faces with those on real ones.",
            "evaluate.lesions.fidelity:evaluate_lesions",
            "evaluate.lesions.config:LesionFidelityConfig",
            {"real": _REAL, "synthetic": _SYNTHETIC, "detector": _DETECTOR},
        ),
        Stage(
            "export-boxes",
            "Write faces with lesion boxes as YOLO and COCO data sets.",
            "publish.boxes:export_boxes",
            "publish.boxes_config:ExportBoxesConfig",
            {"faces": Input("faces", "The faces, with lesion boxes.")},
        ),
        Stage(
            "evaluate realism",
            "Test whether classifiers can tell the synthetic faces from the real ones.",
            "evaluate.realism:evaluate_realism",
            "evaluate.config:RealismConfig",
            {"real": _REAL, "synthetic": _SYNTHETIC},
        ),
        Stage(
            "audit",
            "Attack the synthetic set: can people in training be found in it, beside people kept out?",
            "audit.stage:audit",
            "audit.config:AuditConfig",
            {
                "real": _REAL,
                "synthetic": _SYNTHETIC,
                "generators": Input(
                    "checkpoint", "GANs whose weights might be released too.", many=True, optional=True
                ),
                "others": Input(
                    "faces", "Other photos of the people of `real`, never trained on.", optional=True
                ),
            },
        ),
        Stage(
            "export",
            "Write the synthetic set as a data set that others can load, if its audit allows a release.",
            "publish.release.export:export",
            "publish.release.config:ExportConfig",
            {
                "faces": _SYNTHETIC,
                "audit": Input("result", "The audit of these very faces.", optional=True),
                "source_models": Input(
                    "checkpoint",
                    "The GANs and the grader behind the faces: the card states their terms.",
                    many=True,
                    optional=True,
                ),
                "scores": Input("result", "Scores to state on the data set card.", many=True, optional=True),
            },
        ),
        Stage(
            "report",
            "Write one HTML page about a whole run.",
            "publish.report:report",
            "publish.config:ReportConfig",
            {"runs": Input("run", "Run folders, in the order in which they are told.", many=True)},
        ),
    )
}
