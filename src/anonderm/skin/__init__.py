"""Facial skin: segmentation and tone."""
