"""Reads an MLflow server over its REST API: prompts since MLflow 2.22, applications and scores since traces/metrics.

https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.observations import Observed, Scores, Window
from datahub_llmops.assets.prompts import Prompt, PromptRef, PromptVersion
from datahub_llmops.errors import ConnectorError, UnreadableError, VanishedError
from datahub_llmops.net.http import HttpClient, Query, path_part
from datahub_llmops.net.json_values import mapping, plain, text
from datahub_llmops.prompt_registries.mlflow.facts import (
    IS_PROMPT,
    RegisteredPrompt,
    parse_prompt,
    parse_version,
    version_number,
)
from datahub_llmops.prompt_registries.mlflow.listing import get_pages, quoted
from datahub_llmops.prompt_registries.mlflow.scores import read_scores
from datahub_llmops.prompt_registries.mlflow.traffic import NamedBy, Settings, Traffic
from datahub_llmops.prompt_registries.mlflow.usage import observe

_MODELS: Final = "/api/2.0/mlflow/registered-models"
_VERSIONS: Final = "/api/2.0/mlflow/model-versions"
_IS_PROMPT: Final = f"tag.`{IS_PROMPT}` = 'true'"
"""Without this clause MLflow hides prompts."""
_PROMPTS_A_PAGE: Final = 500
_VERSIONS_A_PAGE: Final = 500
"""With their templates, which have at most 100,000 characters each."""


class MlflowReader:
    """A ``PromptReader``, ``UsageReader`` and ``ScoreReader`` of one server. It closes ``client``.

    ``url`` is the root of the server's pages, without a login. Of the applications those are read whose name
    ``is_wanted``; ``named_by`` says what counts as one.
    """

    def __init__(
        self,
        client: HttpClient,
        *,
        url: str,
        named_by: NamedBy = "logged_model",
        is_wanted: Callable[[str], bool] = lambda name: True,
    ) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._settings = Settings(
            url=self._url, named_by=named_by, is_wanted=is_wanted, prompts_of=self._prompts_of
        )
        self._listed: dict[str, RegisteredPrompt] = {}
        self._lock = threading.Lock()

    def names(self) -> Iterator[Name]:
        """List all prompts that the user may see. MLflow leaves out the others without a word."""
        path = f"{_MODELS}/search"
        params: Query = {"filter": _IS_PROMPT, "max_results": _PROMPTS_A_PAGE}
        seen: set[str] = set()
        for page in get_pages(self._client, path, params, "registered_models"):
            for model in page:
                found = parse_prompt(model)
                if found is None:
                    raise self._client.unexpected(path)
                with self._lock:
                    self._listed[found.name] = found
                # The mark of a page is a number of prompts to skip, so a page may repeat what was on the one before.
                if found.name not in seen:
                    seen.add(found.name)
                    yield (found.name,)

    def mark(self, name: Name) -> str | None:
        with self._lock:
            found = self._listed.get(name[0])
        return found.mark if found else None

    def read(self, name: Name) -> Prompt:
        if len(name) != 1 or not name[0]:
            raise VanishedError(f"{self._client.name}: no prompt {'.'.join(name)!r}.")
        with self._lock:
            prompt = self._listed.get(name[0])
        prompt = prompt or self._get(name[0])
        pages = list(self._version_pages(prompt.name))
        items = [item for page in pages for item in page]
        if (not items and prompt.latest is not None) or len(pages) > 1:
            self._check_unchanged(prompt, any_version=bool(items))
        versions: dict[str, PromptVersion] = {}
        unreadable: dict[str, ConnectorError] = {}
        for item in items:
            number = plain(item.get("version"))
            if number is None or item.get("name") != prompt.name:
                raise self._client.unexpected(f"{_VERSIONS}/search")
            url = f"{self._page(prompt.name)}?promptVersion={path_part(number)}"
            found = parse_version(item, labels=prompt.labels.get(number, ()), url=url)
            if found is None:
                unreadable[number] = UnreadableError(
                    f"{self._client.name}: version {number} of {prompt.name!r} has no template that can be read. Open "
                    "it in MLflow, and register it again if it is damaged."
                )
            else:
                versions[number] = found
        return Prompt(
            name=(prompt.name,),
            versions=tuple(sorted(versions.values(), key=version_number)),
            unreadable=unreadable,
            dangling={
                label: version
                for version, labels in prompt.labels.items()
                if version not in versions and version not in unreadable
                for label in labels
            },
            description=prompt.description,
            tags=prompt.tags,
            url=self._page(prompt.name),
        )

    def observed(self, window: Window) -> Iterator[Observed | FailedListing]:
        yield from observe(Traffic(self._client, self._settings, window))

    def scores(self, window: Window) -> Iterator[Scores | FailedListing]:
        yield from read_scores(Traffic(self._client, self._settings, window))

    def close(self) -> None:
        self._client.close()

    def _prompts_of(self, experiment: str) -> Iterator[PromptRef]:
        """List the versions of the prompts that belong to an experiment, as far as prompts were listed."""
        with self._lock:
            listed = list(self._listed.values())
        for prompt in listed:
            if experiment in prompt.experiments:
                for number in range(1, (prompt.latest or 0) + 1):
                    yield PromptRef(name=prompt.name, version=str(number))

    def _get(self, name: str) -> RegisteredPrompt:
        path = f"{_MODELS}/get"
        model = mapping(mapping(self._client.get(path, {"name": name})).get("registered_model"))
        if text(model.get("name")) != name:
            raise self._client.unexpected(path)
        found = parse_prompt(model)
        if found is None:
            raise VanishedError(f"{self._client.name}: {name!r} is a model, not a prompt (any more).")
        return found

    def _check_unchanged(self, prompt: RegisteredPrompt, *, any_version: bool) -> None:
        """Make sure that versions are missing for no other reason than that they are gone.

        A user without permission gets no versions and no error, and pages shift if a version is deleted meanwhile.
        """
        now = self._get(prompt.name)
        if now.mark != prompt.mark or (now.latest is not None and not any_version):
            raise UnreadableError(
                f"{self._client.name}: {prompt.name!r} changed while it was read, or not all of its versions may be "
                "read. Run again; if it happens again, check the user's permissions."
            )

    def _version_pages(self, name: str) -> Iterator[list[Mapping[str, Any]]]:
        written = quoted(name)
        if written is None:
            raise UnreadableError(
                f"{self._client.name}: {name!r} cannot be asked for, because it has both kinds of quotation marks. "
                "Rename it, or filter it out by prompt_pattern."
            )
        params: Query = {
            "filter": f"name = {written} AND {_IS_PROMPT}",
            "max_results": _VERSIONS_A_PAGE,
            "order_by": "version_number ASC",
        }
        yield from get_pages(self._client, f"{_VERSIONS}/search", params, "model_versions")

    def _page(self, name: str) -> str:
        return f"{self._url}/#/prompts/{path_part(name)}"
