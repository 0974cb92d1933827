"""Lesion detectors: boxes around single lesions. Importing this package imports no torch."""
