"""How long a URN may be. DataHub's server refuses a longer one, and everything that is sent with it:
https://github.com/datahub-project/datahub, ``ValidationApiUtils.validateUrn``."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_plus

MOST_BYTES: Final = 512
"""Bytes of a URN in URL encoding."""
_COLUMN: Final = "urn:li:schemaField:("


def is_too_long(urn: str) -> bool:
    """Return whether DataHub's server refuses a URN for its length. A column counts as its dataset.

    >>> is_too_long("urn:li:tag:" + "a" * 400), is_too_long("urn:li:tag:" + "\u00e9" * 400)
    (False, True)
    """
    raw = whole_asset(urn).encode("utf-8", "replace")
    # Java encodes the tilde, and leaves the asterisk. Encoding triples a URN at most.
    return 3 * len(raw) > MOST_BYTES and len(quote_plus(raw, safe="*").replace("~", "%7E")) > MOST_BYTES


def whole_asset(urn: str) -> str:
    """Return the URN of the dataset of a column, and any other URN as it is.

    >>> whole_asset("urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:pg,t,PROD),id)")
    'urn:li:dataset:(urn:li:dataPlatform:pg,t,PROD)'
    """
    return urn.removeprefix(_COLUMN).rpartition(",")[0] if urn.startswith(_COLUMN) else urn
