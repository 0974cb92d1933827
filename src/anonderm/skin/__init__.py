"""Facial skin: where it is (segmentation), and what tone it has."""
