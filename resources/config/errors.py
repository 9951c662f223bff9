"""The one error of configuration: every problem of a file at once, one line each."""

from __future__ import annotations

from collections.abc import Iterable


class ConfigError(ValueError):
    """A configuration was refused.

    Attributes
    ----------
    problems : tuple of str
        One line a problem: file, dotted path, value and what is allowed.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
