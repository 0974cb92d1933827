"""From all generated faces to those worth keeping: screening by measure, grading by a classifier."""
