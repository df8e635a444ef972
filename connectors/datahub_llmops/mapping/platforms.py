"""Platforms that DataHub does not ship: display name and logo, so that no asset is drawn as a grey circle.

The package contains the logos; an aspect carries one as a ``data:`` URL. DataHub itself knows every platform without a
file in ``logos/``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import DataPlatformInfoClass, PlatformTypeClass

from datahub_llmops import urns

_DISPLAY_NAMES: Final = {
    "chroma": "Chroma",
    "lancedb": "LanceDB",
    "langchain": "LangChain",
    "llama-index": "LlamaIndex",
    "milvus": "Milvus",
    "qdrant": "Qdrant",
    "weaviate": "Weaviate",
}


def platform_info(platform: str, *, any_logo: bool = False) -> Iterator[MetadataChangeProposalWrapper]:
    """Build the ``dataPlatformInfo`` of a platform whose logo the package contains, and nothing for any other.

    ``any_logo`` gives every other platform the logo of ``custom``, for one that DataHub is known not to ship.
    """
    logo = logo_url(platform) or (logo_url(urns.UNKNOWN_PLATFORM) if any_logo else None)
    if logo is None:
        return
    info = DataPlatformInfoClass(
        name=platform,
        type=PlatformTypeClass.OTHERS,
        datasetNameDelimiter=".",
        displayName=_DISPLAY_NAMES.get(platform, platform),
        logoUrl=logo,
    )
    yield MetadataChangeProposalWrapper(entityUrn=urns.platform(platform), aspect=info)


@cache
def logo_url(platform: str) -> str | None:
    """Read the packaged logo as a ``data:`` URL; ``None`` if there is none."""
    logo = files("datahub_llmops.mapping") / "logos" / f"{platform}.svg"
    if not logo.is_file():
        return None
    return "data:image/svg+xml;base64," + base64.b64encode(logo.read_bytes()).decode("ascii")
