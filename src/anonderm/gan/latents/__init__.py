"""Latent tools: style mixing, interpolation, projection of images, and directions in w."""
