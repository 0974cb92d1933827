"""The data-mix study: a classifier trained on real faces, synthetic ones and mixes, tested on both."""
