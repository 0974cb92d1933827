"""StyleGAN2: networks, checkpoints, sampling, projection, and the formats of other programs."""
