"""Attacks on a synthetic set: functions of distances, embeddings and labels, without files."""
