"""DFDNet: blurred faces restored with dictionaries of sharp eyes, noses and mouths (Li et al., ECCV 2020)."""
