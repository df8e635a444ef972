"""What a connector is tested with, inside this repository or outside of it. It needs pytest.

```python
from datahub_llmops.testing import OpenReader, StoreContract

class TestContract(StoreContract):
    source = MyStoreSource

    @pytest.fixture
    def open_reader(self) -> OpenReader: ...   # opens a new reader of the same, populated system at every call
```
"""

from __future__ import annotations

import pytest

# What the contracts assert is shown in full, as in a test's own file. It has to be said before they are imported.
pytest.register_assert_rewrite("datahub_llmops.testing.contracts")

from datahub_llmops.testing.contracts import (  # noqa: E402
    CHECKS,
    Config,
    OpenReader,
    ReaderContract,
    SourceContract,
    StoreContract,
)

__all__ = ["CHECKS", "Config", "OpenReader", "ReaderContract", "SourceContract", "StoreContract"]
