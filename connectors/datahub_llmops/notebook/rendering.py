"""Fills the templates. Every value is escaped, and characters that steer a text are made visible."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from datahub_llmops.net.shown import clean

_LONGEST: Final = 500
"""Characters of one value that are shown."""


def render(template: str, **values: Any) -> str:
    """Fill a template of this room: the name of its file without ``.html.jinja``, and what it is about."""
    return _environment().get_template(f"{template}.html.jinja").render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__ or ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["cut"] = cut
    return environment


def _shown(value: Any) -> Any:
    """Make a value safe to read. Numbers and what a template has built are left as they are."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return cut(clean(value), _LONGEST)


def cut(text: str, most: int) -> str:
    """Cut a text that is too long for its place.

    >>> cut("shop.public.customers", 12), cut("docs", 12)
    ('shop.public…', 'docs')
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"
