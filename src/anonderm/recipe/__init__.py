"""Recipes: a TOML file that names the steps of a whole line, and the runner that walks through them."""
