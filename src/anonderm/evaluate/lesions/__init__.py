"""Lesions found by a detector: against true boxes, and on synthetic faces against real ones."""
