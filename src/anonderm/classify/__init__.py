"""Severity classifiers: training, prediction, saliency. Importing this package imports no torch."""
