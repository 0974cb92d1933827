"""A sweep over the settings of a GAN's training."""
