"""HMAC keys and digests: what is recorded of texts and row keys can be compared on this host and reversed nowhere.

A plain hash of a short key is reversed by trying: a six-digit number falls in half a second. The key is a file beside
the store, readable by its owner only, or ``DATAHUB_LLMOPS_KEY`` where several hosts must agree.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import os
from typing import Final

KEY_VARIABLE: Final = "DATAHUB_LLMOPS_KEY"
DIGEST_BYTES: Final = 16


def key_path(store: str) -> str:
    """Where the key of ``store`` is kept."""
    return f"{store}.key"


def key(store: str, *, create: bool = True) -> bytes | None:
    """The key of ``store``: the environment's, else the file's, made where there is none and ``create``.

    Raises:
        OSError: the file cannot be read or made.
    """
    shared = os.environ.get(KEY_VARIABLE)
    if shared:
        return hashlib.sha256(shared.encode()).digest()
    path = key_path(store)
    with contextlib.suppress(FileNotFoundError):
        return _read(path)
    if not create:
        return None
    # Written whole under another name and linked: a second process finds all of it or nothing.
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
    with open(path, "rb") as file:
        found = file.read(64)
    if len(found) < 16:
        raise OSError(
            f"the key file {path} is too short; remove it, digests made so far will not be found again"
        )
    return found


def digest(secret: bytes, text: str) -> bytes:
    """HMAC of ``text`` without the white space around it, cut to 16 bytes."""
    begun = _begun(secret).copy()
    begun.update(text.strip().encode("utf-8", "surrogatepass"))
    return begun.digest()[:DIGEST_BYTES]


@functools.lru_cache(4)
def _begun(secret: bytes) -> hmac.HMAC:
    # Beginning takes longer than the rest of a short text.
    return hmac.new(secret, digestmod="sha256")
