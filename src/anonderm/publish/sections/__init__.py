"""The sections of the report, one file a subject; each function gives None if its runs are missing."""
