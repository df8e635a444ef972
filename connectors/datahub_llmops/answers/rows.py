"""Which answers were given a row of a table, by the key that the embedding job stamped on its chunks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

from datahub_llmops.answer_store import digests
from datahub_llmops.answer_store.database import Store
from datahub_llmops.answer_store.recorded import RecordedAnswer
from datahub_llmops.answers.given_documents import list_given

Used: TypeAlias = Literal["yes", "no", "not known"]


def forms_of_key(store: Store, key: str) -> frozenset[str]:
    """Return the forms in which chunks may have the key of a row: in clear, and as the digest of this store.

    Raises:
        OSError: the key file of the store cannot be read.
    """
    secret = digests.key(store.path, create=False)
    if secret is None:
        return frozenset({key})
    return frozenset({key, digests.HMAC_PREFIX + digests.digest(secret, key).hex()})


def uses_row(answer: RecordedAnswer, forms: Collection[str]) -> Used:
    """Say whether an answer was given a chunk of a row. Not known, if chunks do not say which row they are of."""
    keys = {chunk.key for _, chunk in list_given(answer.retrievals)}
    if not keys.isdisjoint(forms):
        return "yes"
    return "not known" if None in keys else "no"
