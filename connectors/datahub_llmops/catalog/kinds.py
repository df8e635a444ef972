"""The kind of an asset in a person's words."""

from __future__ import annotations

import re
from typing import Final

_TYPE_WORDS: Final = {
    "dataJob": "Job",
    "dataFlow": "Pipeline",
    "mlModel": "Model",
    "dataProcessInstance": "Run",
    "schemaField": "Column",
    "glossaryTerm": "Term",
    "corpuser": "User",
    "corpGroup": "Group",
}


def kind_in_words(subtype: str | None, entity_type: str) -> str:
    """Return the kind of an asset: its subtype, or else its type.

    >>> kind_in_words("Vector Collection", "dataset"), kind_in_words(None, "dataJob"), kind_in_words(None, "mlFeature")
    ('Vector Collection', 'Job', 'Ml feature')
    """
    return (
        subtype or _TYPE_WORDS.get(entity_type) or re.sub(r"(?<!^)(?=[A-Z])", " ", entity_type).capitalize()
    )
