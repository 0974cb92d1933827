"""Measures of how faithful, realistic and useful a synthetic set is, with their intervals."""
