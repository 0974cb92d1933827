"""Selecting generated faces: screening by measurements, grading by a classifier."""
