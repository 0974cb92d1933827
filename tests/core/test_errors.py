from __future__ import annotations

import inspect

from anonderm.core import errors
from anonderm.core.errors import AnondermError


def test_an_error_states_what_is_wrong_and_then_what_to_do():
    error = AnondermError("a.jpg: not an image.", "Remove it.")
    assert str(error) == "a.jpg: not an image.\n  Remove it."
    assert str(AnondermError("a.jpg: not an image.")) == "a.jpg: not an image."


def test_the_tree_in_the_docstring_names_every_error():
    classes = {name for name, value in vars(errors).items() if inspect.isclass(value)}
    drawn = {line.lstrip("│├└─ ").split()[0] for line in errors.__doc__.splitlines()[2:] if line.strip()}
    assert drawn == classes


def test_every_error_can_be_caught_as_one():
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    assert all(issubclass(value, AnondermError) for value in classes)
