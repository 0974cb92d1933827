"""Attacks on a synthetic set: plain functions over distances, embeddings and labels. They know no files."""
