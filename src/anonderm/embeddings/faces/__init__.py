"""Detectors of faces and their landmarks."""
