"""The phantom encoder: a small network, trained on phantoms only, that embeds a face as 128 numbers."""
