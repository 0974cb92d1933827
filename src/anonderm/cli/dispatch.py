"""From the arguments to the exit status."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Any

from anonderm import __version__
from anonderm.cli.commands import overview, run_command
from anonderm.core.errors import AnondermError, ReleaseRefused

# What an operating system refuses for reasons that the user can remove; any other OSError is a bug, and keeps
# its traceback.
_REFUSALS = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.ESTALE}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status.

    1: `verify` found faults; 2: an error of the user's; 3: a release was refused; 130: stopped by a signal;
    141: whoever read stdout has closed it, as `| head` does.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGTERM, _stop)
    try:
        return _run(arguments)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # Python flushes stdout once more at exit
        return 141
    except AnondermError as error:
        print(f"\nanonderm: {error}", file=sys.stderr)
        return 3 if isinstance(error, ReleaseRefused) else 2
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        print(f"\nanonderm: {error.filename}: {error.strerror}.", file=sys.stderr)
        print("  Fix this, then run the same command again.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nanonderm: stopped. To resume, run the same command again.", file=sys.stderr)
        return 130


def _stop(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _run(arguments: list[str]) -> int:
    for argument in arguments:
        if argument.encode("utf-8", "replace").decode() != argument:
            raise AnondermError(f"{argument!a}: not UTF-8.", "Rename this file or folder.")
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(overview(), end="")
            return 0
        if arguments[0] == "--version":
            print(f"anonderm {__version__}")
            return 0
        return run_command(arguments)
    finally:
        sys.stdout.flush()
