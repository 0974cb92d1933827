"""Import of third-party networks, and export for other programs."""
