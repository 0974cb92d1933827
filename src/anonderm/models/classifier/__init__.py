"""Classifiers of severity and of lesion types: network, checkpoint, prediction, Grad-CAM."""
