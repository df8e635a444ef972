"""Reads prompts out of files, with the versions that git has of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from datahub_llmops.assets.collections import FailedListing, Name
from datahub_llmops.assets.prompts import Prompt, PromptVersion
from datahub_llmops.assets.templates import TemplateFormat, short_digest
from datahub_llmops.errors import ConnectorError, UnreadableError, VanishedError
from datahub_llmops.ingestion.once import Once
from datahub_llmops.prompt_registries.prompt_files.files import Files, FileVersion
from datahub_llmops.prompt_registries.prompt_files.formats.dispatch import parse
from datahub_llmops.prompt_registries.prompt_files.formats.parsed import (
    MalformedError,
    NotAPromptError,
    ParsedPrompt,
)
from datahub_llmops.prompt_registries.prompt_files.formats.promptflow import FLOW_FILE, Flow, parse_flow
from datahub_llmops.prompt_registries.prompt_files.selection import matches, named

_ANY_CONTENT: Final = (".json", ".yaml", ".yml", ".txt", ".md")
"""Endings of files that are prompts only by what they hold."""
_SURE: Final = (".prompt.yml", ".prompt.yaml", ".prompt.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which files are read: globs over paths, and the format of text that states none."""

    include: Sequence[str]
    exclude: Sequence[str]
    text_format: TemplateFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    """What there is: prompts by name with their path, flows by path, and what cannot be used."""

    prompts: Mapping[str, str]
    flows: Mapping[str, Flow]
    failed: Sequence[FailedListing]


class PromptFilesReader:
    """A ``PromptReader`` over the files of one folder or repository. It closes ``files``."""

    def __init__(self, files: Files, selection: Selection) -> None:
        self._files = files
        self._selection = selection
        self._index = Once(self._build_index)
        self._mark = Once(files.mark)

    def names(self) -> Iterator[Name | FailedListing]:
        index = self._index()
        yield from index.failed
        yield from ((name,) for name in index.prompts)

    def mark(self, name: Name) -> str | None:
        return self._mark()

    @property
    def flows(self) -> Mapping[str, Flow]:
        """Promptflow's flows, by the path of their file."""
        return self._index().flows

    def prompt_of(self, path: str) -> str | None:
        """The name of the prompt in a file; ``None`` if it is none."""
        return next((name for name, found in self._index().prompts.items() if found == path), None)

    def current_version(self, name: str) -> str | None:
        """The version that a prompt has now; ``None`` if it cannot be read."""
        try:
            versions = self.read((name,)).versions
        except ConnectorError:
            return None
        return versions[-1].version if versions else None

    def close(self) -> None:
        self._files.close()

    def _build_index(self) -> _Index:
        paths = self._files.paths()
        failed = [
            FailedListing(name=(path,), error=UnreadableError(f"{path}: {why}."), is_item=False)
            for path, why in self._files.skipped().items()
        ]
        flows: dict[str, Flow] = {}
        for path in paths:
            if path.rpartition("/")[2] == FLOW_FILE and not matches(path, self._selection.exclude):
                try:
                    flows[path] = parse_flow(self._files.current(path), path)
                except (MalformedError, UnreadableError) as error:
                    failed.append(FailedListing(name=(path,), error=UnreadableError(f"{path}: {error}.")))
        templates = {template for flow in flows.values() for template in flow.templates}
        wanted = [
            path
            for path in paths
            if (path in templates or matches(path, self._selection.include))
            and path not in flows
            and not matches(path, self._selection.exclude)
        ]
        prompts: dict[str, str] = {}
        for entry in named([path for path in wanted if self._may_be_prompt(path, failed)]):
            if isinstance(entry, FailedListing):
                failed.append(entry)
            else:
                prompts[entry[0]] = entry[1]
        if not prompts and not failed:
            failed.append(
                FailedListing(
                    name=(".",),
                    error=UnreadableError(
                        f"none of the {len(paths)} files looks like a prompt. Commit them if they are in git, or set "
                        "`include`."
                    ),
                    is_item=False,
                )
            )
        self._files.follow(list(prompts.values()))
        return _Index(prompts=prompts, flows=flows, failed=failed)

    def _may_be_prompt(self, path: str, failed: list[FailedListing]) -> bool:
        low = path.lower()
        if not low.endswith(_ANY_CONTENT) or low.endswith(_SURE):
            return True
        try:
            parse(path, self._files.current(path), self._selection.text_format)
        except NotAPromptError:
            failed.append(
                FailedListing(
                    name=(path,),
                    error=UnreadableError(
                        f"{path}: nothing in it says that it is a prompt. Begin it with front matter, or leave it out "
                        "by `exclude`."
                    ),
                    is_item=False,
                )
            )
            return False
        except (MalformedError, ConnectorError):
            return True  # Reading it says what is wrong.
        return True

    def read(self, name: Name) -> Prompt:
        path = self._index().prompts.get(name[0]) if len(name) == 1 else None
        if path is None:
            raise VanishedError(f"{'.'.join(name)[:200]}: there is no such prompt file.")
        file = self._files.read(path)
        versions: list[PromptVersion] = []
        unreadable: dict[str, ConnectorError] = {}
        description: str | None = None
        tags: tuple[str, ...] = ()
        if file.unknown_version is not None:
            unreadable[file.unknown_version] = UnreadableError(
                f"{path}: the history ends at commit {file.unknown_version}, so which commit made the version before "
                "is not known. Fetch all of it: `git fetch --unshallow`, `fetch-depth: 0` in a workflow, or a larger "
                "`max_commits`."
            )
        for one in file.versions:
            current = one is file.versions[-1]
            if one.error is not None:
                unreadable[one.version or "current"] = one.error
                continue
            try:
                parsed = self._parse(one)
            except NotAPromptError:
                continue
            except MalformedError as error:
                version = one.version or "current"
                if current:
                    unreadable[version] = UnreadableError(f"{path}: {error}.")
                else:
                    # It will never be any better: the version exists, without a template.
                    versions.append(_without_template(one, str(error)))
                continue
            versions.append(_version(one, parsed))
            description, tags = parsed.description, parsed.tags
        return Prompt(
            name=name,
            versions=tuple(versions),
            unreadable=unreadable,
            description=description,
            tags=tags,
        )

    def _parse(self, version: FileVersion) -> ParsedPrompt:
        if version.content is None:
            raise MalformedError(version.problem or "it cannot be read")
        return parse(version.path, version.content, self._selection.text_format)


def _without_template(file: FileVersion, problem: str) -> PromptVersion:
    return PromptVersion(
        version=file.version or "current",
        labels=file.labels,
        created=file.created,
        author=file.author,
        message=file.message,
        url=file.url,
        properties={"path": file.path, "problem": problem},
    )


def _version(file: FileVersion, parsed: ParsedPrompt) -> PromptVersion:
    properties = {**parsed.properties, "format": parsed.format, "path": file.path}
    if parsed.author:
        properties["authors"] = parsed.author
    return PromptVersion(
        version=file.version or short_digest(parsed.template.digest),
        template=parsed.template,
        labels=file.labels,
        variables=parsed.variables,
        created=file.created,
        author=file.author,
        message=file.message,
        url=file.url,
        model=parsed.model,
        parameters=parsed.parameters,
        properties=properties,
    )
