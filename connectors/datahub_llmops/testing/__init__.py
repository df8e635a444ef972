"""What a connector is tested with, inside this repository or outside of it. It needs pytest.

```python
from datahub_llmops.testing import OpenReader, StoreContract

class TestContract(StoreContract):
    source = MyStoreSource

    @pytest.fixture
    def open_reader(self) -> OpenReader: ...   # opens a new reader of the same, populated system at every call

    @pytest.fixture
    def known_ids(self) -> KnownIds: ...       # ids of chunks by the collection that alone holds them

    @pytest.fixture
    def open_faulty(self) -> OpenReader: ...   # the same system, whose lookups in that collection get wrong answers
```
"""

from __future__ import annotations

import pytest

# What the contracts assert is shown in full, as in a test's own file. It has to be said before they are imported.
pytest.register_assert_rewrite("datahub_llmops.testing.contracts", "datahub_llmops.testing.recipe_contracts")

from datahub_llmops.testing.contracts import (  # noqa: E402
    CHECKS,
    Config,
    FactsContract,
    KnownIds,
    OpenReader,
    ReaderContract,
    RegistryContract,
    StoreContract,
)
from datahub_llmops.testing.recipe_contracts import (  # noqa: E402
    RegistrySourceContract,
    SourceContract,
)

__all__ = [
    "CHECKS",
    "Config",
    "FactsContract",
    "KnownIds",
    "OpenReader",
    "ReaderContract",
    "RegistryContract",
    "RegistrySourceContract",
    "SourceContract",
    "StoreContract",
]
