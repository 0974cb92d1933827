"""What a generator's latents can do: mix, interpolate, project an image, find and follow directions."""
