"""Whether a release is whole, unchanged, marked, and says what it must: checked from its files alone."""
