"""Training and use of lesion detectors. Importing this package imports no torch."""
