"""The REST API of Weave's trace server, for one project.

https://docs.wandb.ai/weave/reference/service-api
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from datahub_llmops.errors import ConnectorError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.net.http import HttpClient, path_part
from datahub_llmops.net.json_values import mapping, objects, strings, text
from datahub_llmops.net.paging import Pages
from datahub_llmops.prompt_registries.weave.facts import Published, parse_published

_QUERY: Final = "/objs/query"
_READ: Final = "/obj/read"
_ALIASES: Final = "include_tags_and_aliases"
_LISTED: Final = 1_000
"""Versions on a page of metadata."""
_WITH_TEXTS: Final = 200
"""Versions on a page with their templates."""
_NO_OBJECT: Final = re.compile(r"Obj .+ not found|.+ was deleted at .+", re.DOTALL)


def absent(status: int, answer: object) -> bool:
    """Whether Weave itself says that something does not exist: an object, or an option of an older server.

    A project that is not there is a 404 too, and says nothing of a prompt.
    """
    if status == 422:
        return any(
            _ALIASES in strings(item.get("loc")) and item.get("type") == "extra_forbidden"
            for item in objects(mapping(answer).get("detail"))
        )
    return status == 404 and _NO_OBJECT.fullmatch(text(mapping(answer).get("reason")) or "") is not None


class WeaveServer:
    """Calls about one project, ``entity/project``, which raise ``ConnectorError`` only. Thread-safe."""

    def __init__(self, client: HttpClient, project: str) -> None:
        self._client = client
        self._project = project
        self._aliases = Once(self._find_aliases)

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def project(self) -> str:
        """The project as Weave's references name it: ``entity/project``."""
        return self._project

    @property
    def timeout(self) -> float:
        """The deadline of one call in seconds."""
        return self._client.timeout

    @property
    def pages(self) -> str:
        """Where the pages of the project are. The service has them beside the API, a server of one's own above it."""
        root = self._client.address.replace("//trace.wandb.ai", "//wandb.ai", 1).removesuffix("/traces")
        project = "/".join(map(path_part, self._project.split("/")))
        return f"{root}/{project}/weave"

    def page(self, name: str, digest: str) -> str:
        """The page of a version."""
        return f"{self.pages}/objects/{path_part(name)}/versions/{path_part(digest)}"

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON that a question about the project is answered with. It changes nothing."""
        return self._client.post(path, {"project_id": self._project, **body}, reads=True)

    def lines(self, path: str, body: Mapping[str, Any]) -> list[Any]:
        """Return the values of an answer with one a line."""
        found: list[Any] = self._client.post(
            path, {"project_id": self._project, **body}, reads=True, lines=True
        )
        return found

    def list_versions(self) -> Iterator[Published]:
        """List all versions of all prompts, without their templates."""
        return self._versions({}, _LISTED, metadata_only=True)

    def read_versions(self, name: str) -> Iterator[Published]:
        """Read all versions of one prompt; none if Weave lists none."""
        for version in self._versions({"object_ids": [name]}, _WITH_TEXTS, metadata_only=False):
            if version.name != name:
                raise self.unexpected()
            yield version

    def confirm_gone(self, name: str) -> ConnectorError:
        """Return ``VanishedError`` if Weave says that there is no such object, else why that is not known."""
        asked = {"project_id": self._project, "object_id": name, "digest": "latest", "metadata_only": True}
        try:
            answer = mapping(self._client.post(_READ, asked, reads=True))
        except ConnectorError as error:
            return error
        if text(mapping(answer.get("obj")).get("object_id")) != name:
            return self._client.unexpected(_READ)
        return UnreadableError(
            f"{self.name}: {name} is there, but was not listed as a prompt. Run again; if it is no longer a prompt, "
            "filter it out by prompt_pattern."
        )

    def unexpected(self, path: str = _QUERY) -> UnreadableError:
        """Return the error for an answer without the shape of Weave's."""
        return self._client.unexpected(path)

    def close(self) -> None:
        self._client.close()

    def _versions(
        self, narrowed: Mapping[str, Any], size: int, *, metadata_only: bool
    ) -> Iterator[Published]:
        """Yield versions, oldest first. Only an empty page ends them: pages may be smaller than asked for."""
        options = {_ALIASES: True} if self._aliases() else {}
        pages = Pages.of(self._client, _QUERY)
        offset = 0
        while True:
            found = self._query(narrowed, metadata_only=metadata_only, limit=size, offset=offset, **options)
            if not found:
                return
            pages.add(f"{version.name}:{version.digest}" for version in found)
            yield from found
            offset += len(found)
            pages.turn(offset)

    def _query(self, narrowed: Mapping[str, Any], **options: Any) -> list[Published]:
        try:
            return self._ask(narrowed, **options)
        except VanishedError as error:
            # A listing that is refused in whatever words says nothing of a prompt.
            raise UnreadableError(str(error)) from None

    def _ask(self, narrowed: Mapping[str, Any], **options: Any) -> list[Published]:
        answer = self._client.post(
            _QUERY,
            {
                "project_id": self._project,
                "filter": {"base_object_classes": ["Prompt"], "latest_only": False, **narrowed},
                "sort_by": [{"field": "created_at", "direction": "asc"}],
                **options,
            },
            reads=True,
        )
        entries = mapping(answer).get("objs")
        if not isinstance(entries, list):
            raise self.unexpected()
        found = [parse_published(mapping(entry)) for entry in entries]
        versions = [version for version in found if version is not None]
        if len(versions) < len(entries):
            raise self.unexpected()
        return versions

    def _find_aliases(self) -> bool:
        """Find out whether the server knows aliases: an older one refuses an option that it does not know."""
        try:
            self._ask({}, metadata_only=True, limit=1, offset=0, **{_ALIASES: True})
        except VanishedError:
            return False
        return True
