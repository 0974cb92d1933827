"""The value types that every stage shares: errors, records, artefacts, run folders. Imports no torch."""
