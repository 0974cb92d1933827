"""A release: synthetic faces that may leave, in the forms others load, with papers, marks and checksums."""
