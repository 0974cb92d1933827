"""Results: what a stage measured, as typed records. One frozen dataclass a kind, one file each."""
