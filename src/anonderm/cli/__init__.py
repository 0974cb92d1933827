"""The command line."""

from anonderm.cli.commands import main

__all__ = ["main"]
