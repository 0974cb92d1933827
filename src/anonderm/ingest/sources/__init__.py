"""Adapters, one per layout: from a folder, ZIP file or table to photos and their annotations."""
