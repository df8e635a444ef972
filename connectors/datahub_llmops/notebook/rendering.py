"""Fills the templates. Every value is escaped, and characters that steer a text are made visible."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from datahub_llmops.net.shown import clean

_LONGEST: Final = 500
"""Characters of one value that are shown."""
_LONGEST_WHOLE: Final = 20_000
"""Characters of a text of many lines."""


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
    environment.filters["whole"] = _whole
    return environment


def _shown(value: Any) -> Any:
    """Make a value safe to read. Numbers and what a template has built are left as they are."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return cut(clean(value), _LONGEST)


def _whole(text: str) -> Markup:
    """Keep the lines of a long text, which is JSON, and as much of it as a notebook holds well."""
    return escape("\n".join(clean(line) for line in cut(text, _LONGEST_WHOLE).split("\n")))


def cut(text: str, most: int) -> str:
    """Cut a text that is too long for its place.

    >>> cut("shop.public.customers", 12), cut("docs", 12)
    ('shop.public…', 'docs')
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"
