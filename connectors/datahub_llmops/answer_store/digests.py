"""HMAC keys and digests: recorded texts and row keys can be compared on this host and reversed nowhere.

An attacker reverses a plain hash of a short key by trying all keys; a six-digit number takes half a second. The HMAC
key is a file beside the store, readable by its owner only, or ``DATAHUB_LLMOPS_KEY`` where several hosts share one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import os
import stat
from collections.abc import Iterable, Mapping
from typing import Any, Final

KEY_VARIABLE: Final = "DATAHUB_LLMOPS_KEY"
DIGEST_BYTES: Final = 16
CHUNK_BYTES: Final = 8
HMAC_PREFIX: Final = "hmac:"
"""Begins what was digested because it is a value of the user's data."""
SOURCES_PREFIX: Final = "s1:"
"""The version of ``digest_sources``."""


def key_path(store: str) -> str:
    """Return the path of the key file of ``store``."""
    return f"{store}.key"


def shared_key() -> bytes | None:
    """Return the key from ``DATAHUB_LLMOPS_KEY``, or ``None``."""
    shared = os.environ.get(KEY_VARIABLE)
    return hashlib.sha256(os.fsencode(shared)).digest() if shared else None


def key(store: str, *, create: bool = True) -> bytes | None:
    """Return the key of ``store``: from the environment, else from its file, created first if ``create``.

    Raises:
        OSError: the file cannot be read or created.
    """
    shared = shared_key()
    if shared is not None:
        return shared
    path = key_path(store)
    with contextlib.suppress(FileNotFoundError):
        return _read(path)
    if not create:
        return None
    # Write the whole file under another name and link it, so that a second process finds all of it or nothing.
    draft = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
    return _read(path)


def _read(path: str) -> bytes:
    # A pipe in its place would be waited for, so it is opened without waiting.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"the key file {path} is not a regular file")
        if found.st_mode & 0o077 and hasattr(os, "fchmod"):
            try:
                os.fchmod(handle, 0o600)
            except PermissionError:
                raise OSError(
                    f"the key file {path} can be read by others, and its mode cannot be changed: make it 0600"
                ) from None
        secret = file.read(64)
    if len(secret) < 16:
        raise OSError(
            f"the key file {path} is too short: remove it; digests made with it will not match new ones"
        )
    return secret


def digest(secret: bytes, text: str) -> bytes:
    """Compute the HMAC of ``text`` without surrounding white space, cut to 16 bytes."""
    mac = _new_mac(secret).copy()
    mac.update(text.strip().encode("utf-8", "surrogatepass"))
    return mac.digest()[:DIGEST_BYTES]


def chunk_key(secret: bytes, chunk: str) -> bytes:
    """Digest the id of a chunk, cut to 8 bytes: the key under which the store keeps the chunks of an index."""
    return digest(secret, chunk)[:CHUNK_BYTES]


def digest_sources(sources: Iterable[Mapping[str, Any] | None]) -> str | None:
    """Digest the set of sources of a retrieval's chunks, given by their identities.

    It is a plain SHA-256, since dataset URNs and addresses are not secrets: another host gets the same. Returns
    ``None`` if there is no chunk, or if one has no source or one that is only known by its HMAC.

    >>> digest_sources([{"urn": "b"}, {"key": "source", "value": "a"}]) == digest_sources([{"urn": "a"}, {"urn": "b"}])
    True
    >>> digest_sources([{"urn": "a"}, {"key": "source", "value": "hmac:00"}]) is None
    True
    """
    texts = {None if one is None else one.get("urn") or one.get("value") for one in sources}
    found = sorted(one for one in texts if isinstance(one, str) and not one.startswith(HMAC_PREFIX))
    if not found or len(found) < len(texts):
        return None
    digested = hashlib.sha256("\n".join(found).encode("utf-8", "surrogatepass")).hexdigest()
    return SOURCES_PREFIX + digested[: 2 * DIGEST_BYTES]


@functools.lru_cache(4)
def _new_mac(secret: bytes) -> hmac.HMAC:
    # Setting up the key takes longer than digesting a short text.
    return hmac.new(secret, digestmod="sha256")
