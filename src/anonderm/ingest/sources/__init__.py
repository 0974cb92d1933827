"""Adapters, one a layout: from a folder, ZIP or table to photos with what is known of each."""
