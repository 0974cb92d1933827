"""Results: what a stage measured, as typed records. One frozen dataclass per kind."""
