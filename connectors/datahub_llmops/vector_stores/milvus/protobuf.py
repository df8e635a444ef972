"""The generated messages and stub of Milvus' gRPC service that pymilvus ships.

They are loaded from its folder without importing pymilvus, which would read a file ``.env`` into the environment, set
up logging, fail on an unusable variable ``MILVUS_URI``, and spend a second and a hundred megabytes on pandas.
https://github.com/milvus-io/milvus-proto
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

_NAME: Final = f"{__name__}_generated"


def _load_generated() -> ModuleType:
    """Raises ``ImportError`` if pymilvus is not installed."""
    found = find_spec("pymilvus")
    for location in (found.submodule_search_locations if found else None) or ():
        folder = Path(location) / "grpc_gen"
        spec = spec_from_file_location(
            _NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is not None and spec.loader is not None and folder.is_dir():
            module = module_from_spec(spec)
            sys.modules[_NAME] = module
            spec.loader.exec_module(module)
            return module
    raise ImportError("pymilvus is not installed", name="pymilvus")


_load_generated()
common_pb2: Final[Any] = import_module(f"{_NAME}.common_pb2")
milvus_pb2: Final[Any] = import_module(f"{_NAME}.milvus_pb2")
milvus_pb2_grpc: Final[Any] = import_module(f"{_NAME}.milvus_pb2_grpc")
