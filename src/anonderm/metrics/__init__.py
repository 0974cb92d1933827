"""Arrays to numbers: plain numpy and scipy, no files, no torch."""
