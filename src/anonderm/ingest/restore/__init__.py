"""Faces at one size: antialiased where they are larger, enlarged by a restorer where they are smaller."""
