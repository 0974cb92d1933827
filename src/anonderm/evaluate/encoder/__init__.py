"""The phantom encoder: a small network that was shown drawn faces only, and turns a face into 128 numbers."""
