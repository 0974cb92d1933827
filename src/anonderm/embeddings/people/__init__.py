"""Grouping photos by the person on them."""
