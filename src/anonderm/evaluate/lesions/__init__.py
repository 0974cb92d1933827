"""What a lesion detector finds: against true boxes, and on synthetic faces against real ones."""
