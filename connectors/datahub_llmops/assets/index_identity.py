"""The name and URN of an index from its raw identity: what an application saw of it, without a catalog or a recipe.

A raw identity is a mapping with some of ``platform``, ``host`` or ``path``, ``tenant``, ``database``, ``schema``,
``collection``, ``partition``, or with the ``urn`` that the application has given. Standard library only: the hooks
stamp spans with these URNs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from datahub_llmops.assets import platforms
from datahub_llmops.assets.collections import Name

IN_MEMORY: Final = ":memory:"
"""Path of a store that ends with its process: no asset of a catalog, whatever its name."""
RESERVED: Final = {",": "%2C", "(": "%28", ")": "%29", "\u241f": "%E2%90%9F"}
"""All that DataHub encodes; a percent sign stays as it is. https://docs.datahub.com/docs/what/urn/#restrictions"""
_ENCODED: Final = str.maketrans(RESERVED)


def catalog_platform(raw: Mapping[str, Any]) -> str | None:
    """Return the platform that an index has in the catalog, or ``None`` if it is not known."""
    platform = platforms.find(str(raw.get("platform"))).cataloged_as or raw.get("platform")
    return platform if isinstance(platform, str) else None


def asset_name(raw: Mapping[str, Any]) -> Name | None:
    """Return the parts of an index's name in the catalog, or ``None`` if a part is unknown.

    >>> asset_name({"platform": "chroma", "database": "default_database", "collection": "docs"})
    ('default_database', 'docs')
    >>> asset_name({"platform": "chroma", "collection": "docs"}) is None
    True
    """
    parts = [raw.get(key) for key in platforms.find(str(raw.get("platform"))).raw_keys]
    if raw.get("partition"):
        parts.append(raw["partition"])  # Of a table that several collections share.
    return tuple(str(part) for part in parts) if all(parts) else None


def index_urn(raw: Mapping[str, Any], *, env: str = "PROD") -> str | None:
    """Return the URN of an index without a platform instance, or ``None`` if its name is not known or in memory only.

    A ``urn`` in the identity is not looked at. The text is that of ``urns.collection``.

    >>> index_urn({"platform": "qdrant", "host": "qdrant:6333", "collection": "a,b"})
    'urn:li:dataset:(urn:li:dataPlatform:qdrant,a%2Cb,PROD)'
    >>> index_urn({"platform": "qdrant", "path": ":memory:", "collection": "docs"}) is None
    True
    """
    platform, name = catalog_platform(raw), asset_name(raw)
    if not platform or name is None or raw.get("path") == IN_MEMORY:
        return None
    encoded = ".".join(name).translate(_ENCODED)
    return f"urn:li:dataset:(urn:li:dataPlatform:{platform.translate(_ENCODED)},{encoded},{env})"
