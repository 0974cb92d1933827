"""The command line."""

from anonderm.cli.dispatch import main

__all__ = ["main"]
