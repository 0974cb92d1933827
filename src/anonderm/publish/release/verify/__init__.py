"""Verify a release from its files alone: complete, unchanged, marked, and documented."""
