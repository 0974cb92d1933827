"""Ways to tell whether two faces are the same person, or the same picture."""
