"""Segmentation of facial skin."""
