"""Networks that other programs wrote, and networks for other programs."""
