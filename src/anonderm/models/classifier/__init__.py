"""Classifiers of severity and of lesion types: network, heads, prediction, Grad-CAM."""
