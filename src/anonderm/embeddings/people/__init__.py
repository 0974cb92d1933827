"""Photos grouped by person."""
