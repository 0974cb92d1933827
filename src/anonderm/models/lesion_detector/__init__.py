"""Lesion detectors: boxes around single lesions."""
