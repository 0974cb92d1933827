"""Evidence on whether the people in the training photos can be found again in the synthetic faces."""
