"""Writes governance/data/lifecycles.json anew from LiteLLM's list of models.

    python tools/refresh_lifecycles.py litellm-1.110.2-...whl     the wheel from the package index
    python tools/refresh_lifecycles.py https://.../model_prices_and_context_window.json

The list is MIT-licensed: https://github.com/BerriAI/litellm. Only the names, dates, successors, links and prices of
embedding models are kept.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "connectors"))

from datahub_llmops.governance.lifecycle_list import PACKAGED, dump_list, read_litellm  # noqa: E402

_IN_WHEEL: Final = "litellm/model_prices_and_context_window_backup.json"
_LEAST_KEPT: Final = 0.9
"""A new list with fewer dates than this part of the old one is taken for broken."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("list", help="a wheel of litellm, a JSON file, or an https address")
    parser.add_argument("--force", action="store_true", help="write it although it has far fewer dates")
    given = parser.parse_args()
    content, version = _load(given.list)
    found = read_litellm(content, source=f"LiteLLM {version}".strip())
    before = json.loads(PACKAGED.read_text("utf-8")) if PACKAGED.exists() else {"models": {}}
    old, new = _dates(before["models"]), sum(one.on is not None for one in found.models)
    if new < old * _LEAST_KEPT and not given.force:
        print(
            f"The list has {new} dates, the present one {old}: look at it, then use --force.", file=sys.stderr
        )
        return 1
    PACKAGED.write_text(dump_list(found), "utf-8")
    print(f"Wrote {len(found.models)} models, {new} of them with a date, to {PACKAGED.relative_to(ROOT)}")
    return 0


def _load(place: str) -> tuple[Any, str]:
    if place.startswith("https://"):
        with urlopen(place, timeout=60) as answer:
            return json.load(answer), ""
    path = Path(place)
    if path.suffix == ".whl":
        match = re.match(r"litellm-([^-]+)-", path.name)
        with zipfile.ZipFile(path) as wheel:
            return json.loads(wheel.read(_IN_WHEEL)), match[1] if match else ""
    return json.loads(path.read_text("utf-8")), ""


def _dates(models: dict[str, dict[str, Any]]) -> int:
    return sum(bool(entry and entry[0]) for by_name in models.values() for entry in by_name.values())


if __name__ == "__main__":
    sys.exit(main())
