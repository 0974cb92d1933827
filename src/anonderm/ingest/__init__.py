"""From photos to a FaceSet: adapters for data sets, the phantom, alignment, restoration."""
