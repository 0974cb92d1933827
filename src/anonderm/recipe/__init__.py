"""Recipes: TOML files that list the steps of a pipeline; reading, estimating and running them."""
