"""Networks: how each is built, loaded and applied, and the formats of other programs."""
