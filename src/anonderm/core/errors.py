"""Every error that anonderm raises on purpose.

AnondermError
├── InputError                 what the user gave cannot be used
│   ├── MissingPath            a file or folder is not there
│   ├── UnreadableImage        a file is not an image, or is cut short
│   ├── EmptyFolder            a folder holds no image
│   ├── BadLabel               a label is missing, unknown, or there is only one
│   ├── TooFewImages           a stage needs more images than it was given
│   └── UnsafePickle           a pickle would call something that is not allowed to run
├── ConfigError                a setting is unknown, of the wrong type or out of range
│   └── ConfigChanged          a run folder was made with other settings or inputs
├── MissingExtra               an optional package is not installed
├── MissingWeights             weights that a stage needs are not on this machine
├── BrokenArtefact             a FaceSet, Checkpoint or result on disk is damaged or incomplete
├── ReleaseRefused             the audit does not allow a release, or there is none
├── RunBusy                    another process is writing the same run folder
├── StorageError               the disk is full or cannot be written
├── ProcessLost                another process of a run of several is gone
└── Diverged                   training met NaN or Inf
"""


class AnondermError(Exception):
    """What is wrong and where; `hint` says what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class InputError(AnondermError): ...


class MissingPath(InputError): ...


class UnreadableImage(InputError): ...


class EmptyFolder(InputError): ...


class BadLabel(InputError): ...


class TooFewImages(InputError): ...


class UnsafePickle(InputError): ...


class ConfigError(AnondermError): ...


class ConfigChanged(ConfigError): ...


class MissingExtra(AnondermError): ...


class MissingWeights(AnondermError): ...


class BrokenArtefact(AnondermError): ...


class ReleaseRefused(AnondermError): ...


class RunBusy(AnondermError): ...


class StorageError(AnondermError): ...


class ProcessLost(AnondermError): ...


class Diverged(AnondermError): ...
