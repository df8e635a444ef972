"""Examines DataHub servers: whether each answers, its version, and whether it has loaded the model plugin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from datahub_llmops.aspects.admission import decide
from datahub_llmops.catalog.server.client import Gms, connect
from datahub_llmops.errors import CatalogError
from datahub_llmops.net.json_values import mapping, text
from datahub_llmops.net.shown import clean, without_login
from datahub_llmops.setup.diagnosis import Diagnosis
from datahub_llmops.setup.versions import VersionSpan, judge, table


def examine_server(url: str, token: str | None, seconds: float) -> list[Diagnosis]:
    """Ask the server at ``url`` for its configuration, for ``seconds`` at most.

    ``token`` is that of a recipe; without it the token comes from ``DATAHUB_GMS_TOKEN`` or ``~/.datahubenv``.
    """
    name = clean(without_login(url))
    try:
        with closing(Gms(connect(url, token=token), timeout=seconds)) as server:
            config = server.config()
    except CatalogError as error:
        message, _, to_do = str(error).partition("; ")
        message = message.partition(f"{url.rstrip('/')}: ")[2] or message
        return [
            Diagnosis(
                section="server",
                name=name,
                verdict="not ok",
                message=f"{clean(message[:1].upper() + message[1:])}.",
                to_do=f"{clean(to_do[:1].upper() + to_do[1:])}." if to_do else None,
            )
        ]
    return [*_version(name, config), _plugin(name, config)]


def _version(name: str, config: Mapping[str, Any]) -> Iterator[Diagnosis]:
    found = text(mapping(mapping(config.get("versions")).get("acryldata/datahub")).get("version"))
    tested: str = table()["server"]
    if found is None:
        yield Diagnosis(
            section="server",
            name=name,
            verdict="not known",
            message="It answers, and does not say its version.",
            to_do=f"This package was tested with DataHub {tested}.",
        )
        return
    own = found.removeprefix("v")
    verdict = judge(own, VersionSpan(package="datahub", oldest=tested, newest=tested))
    yield Diagnosis(
        section="server",
        name=name,
        verdict="ok" if verdict == "ok" else "not known",
        message=f"It answers: DataHub {clean(own)} (tested: {tested}).",
        to_do=None if verdict == "ok" else "Usually it works. Report what does not.",
    )


def _plugin(name: str, config: Mapping[str, Any]) -> Diagnosis:
    decision = decide("auto", "server", config=config)
    message, _, to_do = decision.message.partition("; ")
    return Diagnosis(
        section="server",
        name=name,
        verdict="not ok" if decision.warning else "ok",
        message=clean(message) if message.endswith(".") else f"{clean(message)}.",
        to_do=f"{clean(to_do[:1].upper() + to_do[1:])}" if to_do else None,
    )
