"""`llm-prompt-files`: prompts in files, with the versions that git keeps of them.

Formats: Prompty (https://prompty.ai), Promptflow (https://microsoft.github.io/promptflow), GitHub Models
(https://docs.github.com/en/github-models), Dotprompt (https://google.github.io/dotprompt), LangChain's prompts as JSON
and YAML, Jinja templates, and text with front matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from datahub.configuration.common import AllowDenyPattern
from datahub.ingestion.api.decorators import (
    SourceCapability,
    SupportStatus,
    capability,
    config_class,
    platform_name,
    support_status,
)
from pydantic import Field, field_validator
from typing_extensions import override

from datahub_llmops.assets.extras import not_installed
from datahub_llmops.assets.prompts import Prompt
from datahub_llmops.assets.templates import TemplateFormat
from datahub_llmops.ingestion.parts import SourcePart
from datahub_llmops.ingestion.prompt_capabilities import PromptFact, always
from datahub_llmops.ingestion.prompt_reader import PromptReader
from datahub_llmops.ingestion.prompt_registry import PromptRegistryConfig, PromptRegistrySource
from datahub_llmops.prompt_registries.prompt_files.files import Files
from datahub_llmops.prompt_registries.prompt_files.flows import Flows
from datahub_llmops.prompt_registries.prompt_files.folder import FolderFiles
from datahub_llmops.prompt_registries.prompt_files.git_folder import find_git_folder
from datahub_llmops.prompt_registries.prompt_files.reader import PromptFilesReader, Selection
from datahub_llmops.prompt_registries.prompt_files.selection import DEFAULT_INCLUDE


class PromptFilesConfig(PromptRegistryConfig):
    """Recipe options of `llm-prompt-files`."""

    path: Path = Field(
        description="A git repository, bare or with a work tree, a folder inside of a work tree, or a plain folder, "
        "for example `./prompts`. A prompt's name is the path of its file below this folder, without the ending."
    )
    include: list[str] = Field(
        default_factory=lambda: list(DEFAULT_INCLUDE),
        description="Which files may be prompts, as globs over paths below `path`; `**/` crosses folders, for example "
        "`['prompts/**/*.md']`. The templates of Promptflow's flows always are. Default: the endings of the formats "
        "everywhere, and JSON, YAML, text, Markdown and Jinja in folders called `prompts`.",
    )
    exclude: list[str] = Field(
        default_factory=list,
        description="Files to leave out, as globs, for example `['**/drafts/**', '**/README.md']`.",
    )
    text_format: TemplateFormat = Field(
        default="mustache",
        description="How variables are written in text whose front matter states no `template_format`: `mustache` "
        "({{x}}), `jinja2`, `f-string` ({x}) or `text` (none).",
    )
    git: bool = Field(
        default=True,
        description="Whether versions are read from git, where `path` belongs to a repository. `false` takes the files "
        "as they lie there, with one version each.",
    )
    branch: str | None = Field(
        default=None,
        description="Branch whose files and history are read, for example `main`. Default: the one that is checked "
        "out.",
    )
    tag_pattern: AllowDenyPattern = Field(
        default_factory=AllowDenyPattern.allow_all,
        description="Tags that become labels of the versions at which they point, for example "
        "`{allow: ['prompts-.*']}`.",
    )
    branch_pattern: AllowDenyPattern | None = Field(
        default=None,
        description="Branches that become labels, for example `{allow: [main, production]}`. Default: the branch that "
        "is read.",
    )
    max_commits: int = Field(
        default=100_000,
        ge=1,
        description="Commits that are walked through, newest first. A prompt whose history goes on behind them is a "
        "failure, for example `500000`.",
    )
    web_url: str | None = Field(
        default=None,
        description="Address of files in a browser, up to the commit, for links from a version to its file, for "
        "example `https://github.com/acme/prompts/blob`.",
    )

    @field_validator("path")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("web_url")
    @classmethod
    def _is_web(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("web_url begins with https:// or http://")
        return value.rstrip("/") if value else None

    def open_files(self) -> Files:
        """Open what ``path`` names. Raises ``AccessError``."""
        found = find_git_folder(self.path) if self.git else None
        if found is None:
            return FolderFiles(self.path)
        try:
            # Imported here because only a repository needs the library that reads git.
            from datahub_llmops.prompt_registries.prompt_files.git_files import GitFiles
        except ImportError as error:
            raise not_installed("Reading prompts from git", "prompt-files", error) from error
        return GitFiles(
            *found,
            branch=self.branch,
            tag_pattern=self.tag_pattern,
            branch_pattern=self.branch_pattern,
            most_commits=self.max_commits,
            web_url=self.web_url,
        )


@platform_name("Prompt files", id="prompt-files")
@config_class(PromptFilesConfig)
@support_status(SupportStatus.ALPHA)
@capability(SourceCapability.SCHEMA_METADATA, "The variables of each template")
@capability(SourceCapability.DESCRIPTIONS, "As far as the format has one")
class PromptFilesSource(PromptRegistrySource[PromptFilesConfig]):
    """Reads prompts from files."""

    platform: ClassVar[str] = "prompt-files"
    config_type: ClassVar[type[PromptFilesConfig]] = PromptFilesConfig
    declares: ClassVar[Mapping[PromptFact, str]] = {
        **always("text prompts", "chat prompts"),
        "labels": "tags and branches",
        "author": "of the commit",
        "created": "the time of the commit",
        "commit message": "yes, in git",
        "version link": "with `web_url`",
        "stated variables": "if the format declares them",
        "model": "if the file names one",
        "parameters": "if the file has some",
        "description": "if the file has one",
        "tags": "if the file has some",
    }

    @classmethod
    @override
    def open(cls, config: PromptFilesConfig) -> PromptReader:
        selection = Selection(include=config.include, exclude=config.exclude, text_format=config.text_format)
        return PromptFilesReader(config.open_files(), selection)

    @override
    def observation_parts(self) -> Sequence[SourcePart[Prompt]]:
        return (
            Flows(env=self.config.env, emitter=self.emitter, report=self.report, deployment=self.deployment),
        )
