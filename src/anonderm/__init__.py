"""anonderm: anonymous synthetic data sets from small private sets of clinical face photos."""

__version__ = "0.1.0"
