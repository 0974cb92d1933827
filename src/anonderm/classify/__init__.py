"""Training of classifiers and lesion detectors. Importing this package imports no torch."""
