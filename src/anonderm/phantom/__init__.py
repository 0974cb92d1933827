"""The phantom: frontal faces drawn from a described person and skin condition, with known ground truth."""
