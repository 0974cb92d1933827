"""Adaptive discriminator augmentation. Source: Karras et al. 2020 (limited data), sec. 3 and appendix B."""
