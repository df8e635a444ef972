"""Built-in rules that turn addresses of documents and tables into URNs of datasets.

The URNs are spelled as DataHub's own sources spell them, so that both describe the same asset. ``s3``, ``gcs`` and
``abs`` name an object by its path without the scheme (https://docs.datahub.com/docs/generated/ingestion/sources/s3);
SQL sources name a table by its dotted path. A name never contains the user, password, port, query or fragment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from datahub.emitter.mce_builder import ALL_ENV_TYPES
from datahub.metadata.urns import DatasetUrn
from datahub.utilities.urns.error import InvalidUrnError

from datahub_llmops import urns

_ADDRESS: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://([^/?#]*)([^?#]*)")
_WINDOWS_PATH: Final = re.compile(r"[A-Za-z]:[\\/]")
_AZURE_HOSTS: Final = (".blob.core.windows.net", ".dfs.core.windows.net")

_BUCKETS: Final = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gcs", "gcs": "gcs"}
_AZURE_SCHEMES: Final = ("abfs", "abfss", "wasb", "wasbs")

# Maps a scheme to its platform and the number of parts in a table's name there.
_WAREHOUSES: Final = {
    "athena": ("athena", 2),
    "awsathena": ("athena", 2),
    "bigquery": ("bigquery", 3),
    "bq": ("bigquery", 3),
    "clickhouse": ("clickhouse", 2),
    "databricks": ("databricks", 3),
    "hive": ("hive", 2),
    "mariadb": ("mariadb", 2),
    "mssql": ("mssql", 3),
    "mysql": ("mysql", 2),
    "postgres": ("postgres", 3),
    "postgresql": ("postgres", 3),
    "redshift": ("redshift", 3),
    "snowflake": ("snowflake", 3),
    "sqlserver": ("mssql", 3),
    "trino": ("trino", 3),
}
# By default DataHub's own sources write the names of these platforms in lower case.
_LOWER_CASE: Final = frozenset({"snowflake"})


def dataset_of(value: str, env: str) -> str | None:
    """Return the URN of the dataset at an address, or ``None`` if no built-in rule matches.

    >>> dataset_of("s3://kb/guides/intro.md#page=2", "PROD")
    'urn:li:dataset:(urn:li:dataPlatform:s3,kb/guides/intro.md,PROD)'
    >>> dataset_of("postgresql://ada:secret@db:5432/shop/public.docs", "PROD")
    'urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.docs,PROD)'
    >>> dataset_of("/srv/kb/guides/intro.md", "PROD")
    'urn:li:dataset:(urn:li:dataPlatform:file,/srv/kb/guides,PROD)'
    >>> dataset_of("https://example.com/intro", "PROD") is None
    True
    """
    if value.startswith("urn:"):
        return dataset_urn(value)
    address = _ADDRESS.match(value)
    if address is None:
        return _local_path(value, env)
    scheme, host, path = address[1].lower(), address[2], address[3]
    for rule in _RULES:
        if urn := rule(scheme, host, path, env):
            return urn
    return None


def dataset_urn(text: str) -> str | None:
    """Return ``text`` as a dataset URN in canonical form, or ``None`` if it is not one."""
    try:
        urn = DatasetUrn.from_string(text)
    except InvalidUrnError:
        return None
    # A server rejects an unknown environment, together with the whole batch.
    return urn.urn() if urn.name.strip(" ./") and urn.env in ALL_ENV_TYPES else None


def _object(scheme: str, host: str, path: str, env: str) -> str | None:
    platform, key = _BUCKETS.get(scheme), path.strip("/")
    return urns.dataset(platform, f"{host}/{key}", env=env) if platform and host and key else None


def _azure(scheme: str, host: str, path: str, env: str) -> str | None:
    container, at, account = host.rpartition("@")
    if scheme in ("http", "https") and not at and host.lower().endswith(_AZURE_HOSTS):
        name = path.strip("/")
    elif scheme in _AZURE_SCHEMES and at and account.lower().endswith(_AZURE_HOSTS):
        name = f"{container}/{path.strip('/')}"
    else:
        return None
    # A container alone is not an object, so it cannot be a source.
    return urns.dataset("abs", name, env=env) if name.strip("/").count("/") else None


def _hdfs(scheme: str, host: str, path: str, env: str) -> str | None:
    return urns.dataset("hdfs", path.rstrip("/"), env=env) if scheme == "hdfs" and path.strip("/") else None


def _file(scheme: str, host: str, path: str, env: str) -> str | None:
    if scheme != "file":
        return None
    decoded = unquote(path)
    windows = decoded.removeprefix("/")
    return _local_path(windows if _WINDOWS_PATH.match(windows) else decoded, env)


def _local_path(value: str, env: str) -> str | None:
    """Return the folder of a file: one dataset for each of ten thousand files would bury the graph.

    A relative path or a bare name is not an address, because its base folder is unknown.
    """
    if _WINDOWS_PATH.match(value) or value.startswith("\\\\"):
        value = value.replace("\\", "/")
    elif not value.startswith("/"):
        return None
    folder = value.rpartition("/")[0].rstrip("/")
    return urns.dataset("file", folder, env=env) if folder.strip("/") else None


def _warehouse(scheme: str, host: str, path: str, env: str) -> str | None:
    platform, size = _WAREHOUSES.get(scheme.partition("+")[0], (None, 0))
    if platform is None:
        return None
    # BigQuery has no server. Its addresses have the project in place of the host.
    text = f"{host.rpartition('@')[2]}{path}" if platform == "bigquery" else path
    parts = [part for piece in text.split("/") for part in piece.split(".") if part]
    if len(parts) != size:
        return None
    name = ".".join(parts)
    return urns.dataset(platform, name.lower() if platform in _LOWER_CASE else name, env=env)


_RULES: Final[tuple[Callable[[str, str, str, str], str | None], ...]] = (
    _object,
    _azure,
    _hdfs,
    _file,
    _warehouse,
)
