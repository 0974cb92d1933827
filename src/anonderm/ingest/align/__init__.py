"""Alignment: faces cut out of photos in one framing."""
