"""The types of options and arguments that name a file, a folder or a catalog."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from datahub_llmops.catalog.overriding import override


class Place(click.Path):
    """A path that is not empty: a variable of a script that is not set must not mean the default."""

    def __init__(self, path_type: type[Any] = Path, *, file_okay: bool = True) -> None:
        super().__init__(path_type=path_type, file_okay=file_okay)

    @override
    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Convert the text; an empty one ends the command with a usage error."""
        if not str(value).strip():
            self.fail("it is empty; name one, or leave it out for the default", param, ctx)
        return super().convert(value, param, ctx)


class NewFile(Place):
    """A file to write, which standard output cannot stand for."""

    @override
    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Convert the text; ``-`` ends the command with a usage error."""
        if str(value) == "-":
            self.fail("it is written to a file; name one (./- for a file of this name)", param, ctx)
        return super().convert(value, param, ctx)
