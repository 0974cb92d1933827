"""Pictures to embeddings [N, D]: extractors, matchers and their calibration, near-duplicates, people."""
