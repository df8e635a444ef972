"""Write the skeleton of a connector for another vector store: a working one, for a folder of JSON lines.

    python tools/connector/new.py acme --title "Acme DB"

The files of ``template/`` are copied under the new name. Shared files get one entry each: ``pyproject.toml``,
``assets/platforms.py`` and ``CHANGELOG.md``. Everything passes lint, types and its own tests at once; replace the
reader step by step, as docs/add-a-connector.md describes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).resolve().parent / "template"
PLATFORMS = "connectors/datahub_llmops/assets/platforms.py"


def renamed(text: str, name: str, title: str) -> str:
    """``text`` of the template for another store."""
    words = "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", title))
    return text.replace("jsonlines", name).replace("JsonLines", words).replace("JSON lines", title)


def copy_template(root: Path, name: str, title: str) -> list[Path]:
    """Write the files of a connector; returns their paths. Raises ``FileExistsError`` before anything is written."""
    found = {path: path.relative_to(TEMPLATE) for path in sorted(TEMPLATE.rglob("*")) if path.is_file()}
    texts = {
        root / renamed(str(target), name, title): renamed(path.read_text("utf-8"), name, title)
        for path, target in found.items()
        if "__pycache__" not in path.parts
    }
    for target in texts:
        if target.exists():
            raise FileExistsError(f"{target} exists already")
    for target, text in texts.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    return list(texts)


def add_to_pyproject(text: str, name: str, title: str) -> str:
    """With the entry point, the extra, and the extra in ``all``."""
    words = renamed("JsonLines", name, title)
    entry = f'llm-{name} = "datahub_llmops.vector_stores.{name}.source:{words}Source"\n'
    text = re.sub(
        r'((?:llm-\w+ = "datahub_llmops\.vector_stores\..*\n)+)',
        lambda match: match[0] + entry,
        text,
        count=1,
    )
    extra = f"# {title}: name here what the reader needs beyond this package.\n{name} = []\n"
    text = re.sub(r"^all = \[", lambda match: extra + match[0], text, count=1, flags=re.MULTILINE)
    return re.sub(
        r"(datahub-llmops\[)((?:[\w-]+,)+[\w-]+)(\])",
        lambda match: match[1] + ",".join(sorted({*match[2].split(","), name})) + match[3],
        text,
        count=1,
    )


def add_to_platforms(text: str, name: str, title: str) -> str:
    """With an entry for the platform, before the first one that is not a vector store."""
    entry = f'''    Platform(
        name="{name}",
        display_name="{title}",
        kind="vector store",
        logo="{name}.svg",
    ),
'''
    return text.replace(
        '    Platform(\n        name="langchain"', f'{entry}    Platform(\n        name="langchain"', 1
    )


def add_to_changelog(text: str, name: str, title: str) -> str:
    """With a line under the first heading of a version."""
    line = f"- `llm-{name}`, a DataHub source for {title}: say here what it reads.\n"
    return re.sub(
        r"^## .*\n+(?:### .*\n+)?", lambda match: match[0] + line, text, count=1, flags=re.MULTILINE
    )


SHARED: dict[str, Callable[[str, str, str], str]] = {
    "pyproject.toml": add_to_pyproject,
    PLATFORMS: add_to_platforms,
    "CHANGELOG.md": add_to_changelog,
}


def tidy(paths: list[Path]) -> None:
    """Sort imports and wrap lines anew: a name of another length moves both."""
    files = [str(path) for path in paths if path.suffix == ".py"]
    for arguments in (["check", "--quiet", "--fix", "--select", "I"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, *files], check=True, cwd=ROOT)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("name", help="name of the connector, lower case, for example acme")
    parser.add_argument("--title", help="name of the store as people write it, for example 'Acme DB'")
    arguments = parser.parse_args()
    name: str = arguments.name
    title: str = arguments.title or name.capitalize()
    if not re.fullmatch(r"[a-z][a-z0-9]*", name) or not re.fullmatch(r"[A-Za-z][\w .-]*", title):
        parser.error("NAME has lower-case letters and digits only; TITLE begins with a letter")
    try:
        written = copy_template(ROOT, name, title)
    except FileExistsError as error:
        parser.error(str(error))
    tidy(written)
    for path in written:
        print(f"written  {path.relative_to(ROOT)}")
    for shared, add in SHARED.items():
        path = ROOT / shared
        text = path.read_text("utf-8")
        changed = add(text, name, title)
        path.write_text(changed, "utf-8")
        print(f"{'changed' if changed != text else 'CHANGE BY HAND'}  {shared}")
    print("Next: `make docs`, then `make faults`, then docs/add-a-connector.md.")


if __name__ == "__main__":
    main()
