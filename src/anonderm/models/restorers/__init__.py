"""Restoration of low-resolution faces."""
