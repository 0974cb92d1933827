"""Faces cut out of photos in one framing."""
