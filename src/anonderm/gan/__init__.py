"""StyleGAN2 with adaptive discriminator augmentation: FaceSet -> Checkpoint -> FaceSet. Imports no torch."""
