"""Makes a small git repository with one prompt file in two versions, as a team would keep its prompts.

The first version is the application's own prompt. It carries the tag `production`.

    python examples/demo/prompt_repository.py demo/prompts
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from dulwich import porcelain
from dulwich.repo import Repo
from stand_ins import TEMPLATE

FILE = "answer-from-docs.prompty"
SECOND = """\
Answer in one sentence from these passages of the documentation, and say "not documented" if they do not tell:

{context}

Question: {question}"""
COMMITS = (
    ("Ada Stewart <ada@acme.example>", 1_762_000_000, "Answer from the passages", TEMPLATE, "0.7"),
    (
        "Jonas Berg <jonas@acme.example>",
        1_763_000_000,
        "Answer in one sentence, or not at all",
        SECOND,
        "0.2",
    ),
)


def prompt_file(template: str, temperature: str) -> str:
    """Write a template as a file in the format of Prompty."""
    body = template.replace("{context}", "{{context}}").replace("{question}", "{{question}}")
    return f"""---
description: Answers a question from passages of the documentation.
model: {{id: first-passage, provider: custom, options: {{temperature: {temperature}}}}}
template: {{format: {{kind: mustache}}}}
---
{body}
"""


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/demo/prompt_repository.py FOLDER")
    folder = Path(sys.argv[1]).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    repository: Any = Repo.init(str(folder))
    repository.refs.set_symbolic_ref(b"HEAD", b"refs/heads/main")
    for author, when, message, template, temperature in COMMITS:
        (folder / FILE).write_text(prompt_file(template, temperature))
        porcelain.add(repository, [str(folder / FILE)])
        porcelain.commit(
            repository,
            message=message,
            author=author.encode(),
            committer=author.encode(),
            author_timestamp=when,
            commit_timestamp=when,
            author_timezone=0,
            commit_timezone=0,
            no_verify=True,
            sign=False,
        )
        if template is TEMPLATE:
            porcelain.tag_create(repository, "production")
        print(f"committed {FILE}: {message}")
    repository.close()


if __name__ == "__main__":
    main()
