"""Platforms that DataHub does not ship: display name and logo, so that no asset is drawn as a grey circle.

A logo is a file in ``assets/logos`` and travels inside the aspect as a ``data:`` URL. DataHub ships the platforms
that have no logo in ``assets.platforms``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.metadata.schema_classes import (
    DataPlatformInfoClass,
    DataPlatformInstanceClass,
    PlatformTypeClass,
)

from datahub_llmops import urns
from datahub_llmops.assets import platforms
from datahub_llmops.urns import Deployment


def platform_info(platform: str, *, any_logo: bool = False) -> Iterator[MetadataChangeProposalWrapper]:
    """``dataPlatformInfo`` of a platform that has a logo in this package; nothing for other platforms.

    With ``any_logo`` they get the logo of ``custom``: for platforms that DataHub is known not to ship.
    """
    logo = logo_url(platform) or (logo_url(urns.UNKNOWN_PLATFORM) if any_logo else None)
    if logo is None:
        return
    info = DataPlatformInfoClass(
        name=platform,
        type=PlatformTypeClass.OTHERS,
        datasetNameDelimiter=".",
        displayName=platforms.find(platform).display_name if logo_url(platform) else platform,
        logoUrl=logo,
    )
    yield MetadataChangeProposalWrapper(entityUrn=urns.platform(platform), aspect=info)


def platform_instance(deployment: Deployment) -> DataPlatformInstanceClass:
    """Name the deployment that an asset belongs to."""
    instance = (
        urns.platform_instance(deployment.platform, deployment.instance) if deployment.instance else None
    )
    return DataPlatformInstanceClass(platform=urns.platform(deployment.platform), instance=instance)


@cache
def logo_url(platform: str) -> str | None:
    """The logo in this package as a ``data:`` URL; ``None`` if there is none."""
    logo = platforms.find(platform).logo
    if logo is None:
        return None
    drawing = (files("datahub_llmops.assets") / "logos" / logo).read_bytes()
    return "data:image/svg+xml;base64," + base64.b64encode(drawing).decode("ascii")
