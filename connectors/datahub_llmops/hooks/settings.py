"""Settings of ``attach``: its arguments, else environment variables, else defaults."""

from __future__ import annotations

import os
from typing import Final, Literal, TypeAlias, cast

from datahub_llmops.answer_store.location import (
    PREFIX,
    absolute,
    default_store,
    environment,
    records_by_default,
)
from datahub_llmops.hooks.names import clean_name

SourceKeys: TypeAlias = Literal["hmac", "clear", "off"]
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FOREVER: Final = 10 * 365 * 86_400.0
_SOURCE_KEYS: Final = ("hmac", "clear", "off")


def disabled() -> bool:
    """Return whether ``DATAHUB_LLMOPS_DISABLED`` turns everything off."""
    return os.environ.get(PREFIX + "DISABLED", "").strip().lower() in _TRUE


class Settings:
    """Settings of one ``attach``; replaced as a whole, never changed."""

    __slots__ = (
        "application",
        "capture_text",
        "max_bytes",
        "max_days",
        "notes",
        "records",
        "sample",
        "segments",
        "ship",
        "ship_every",
        "source_keys",
        "store",
        "version",
    )

    def __init__(
        self,
        application: str | None = None,
        *,
        version: str | None = None,
        store: str | os.PathLike[str] | Literal[False] | None = None,
        capture_text: bool | None = None,
        source_keys: str | None = None,
        sample: float | None = None,
        ship: str | os.PathLike[str] | None = None,
        ship_every: float | None = None,
        segments: str | os.PathLike[str] | None = None,
        max_bytes: int | None = None,
        max_days: float | None = None,
    ) -> None:
        """
        Raises:
            ValueError: an argument of the code (never of the environment) is out of range; the message names it.
        """
        self.notes: list[str] = []
        if isinstance(application, str) and not application.strip():
            raise ValueError("attach(application=...): give the application a name")
        name = self._name("application", application, "APPLICATION")
        self.application = name or "application"
        if name is None:
            self.notes.append(
                "application has no name: attach(application=...) or DATAHUB_LLMOPS_APPLICATION"
            )
        self.version = self._name("version", version, "VERSION")
        self.records = store is not False and (store is not None or records_by_default())
        self.store = (self._path("store", store) or default_store()) if self.records else ""
        self.capture_text = (
            bool(capture_text)
            if capture_text is not None
            else (environment("CAPTURE_TEXT") or "").lower() in _TRUE
        )
        self.source_keys = self._keys(source_keys)
        self.sample = self._number("sample", sample, "SAMPLE", 1.0, low=0.0, high=1.0)
        self.ship = self._of_store("ship", ship, "SHIP")
        self.segments = self._of_store("segments", segments, "SEGMENTS")
        self.ship_every = self._number("ship_every", ship_every, "SHIP_EVERY", 900.0, low=1.0, most=_FOREVER)
        self.max_bytes = int(
            self._number("max_bytes", max_bytes, "MAX_BYTES", 512.0 * 2**20, low=2**20, most=2**50)
        )
        self.max_days = self._number("max_days", max_days, "MAX_DAYS", 30.0, low=0.01, most=36_500)

    def _name(self, argument: str, given: object, variable: str) -> str | None:
        if given is None:
            return clean_name(environment(variable))
        name = clean_name(given)
        if name is None:
            self.notes.append(f"attach({argument}=...) is not text: it was ignored")
        return name

    def _keys(self, given: str | None) -> SourceKeys:
        if given is not None:
            if given not in _SOURCE_KEYS:
                raise ValueError(f"source_keys is one of {', '.join(_SOURCE_KEYS)}")
            return cast("SourceKeys", given)
        value = (environment("SOURCE_KEYS") or "hmac").lower()
        if value not in _SOURCE_KEYS:
            self.notes.append(f"{PREFIX}SOURCE_KEYS is not one of {', '.join(_SOURCE_KEYS)}: hmac is used")
            value = "hmac"
        return cast("SourceKeys", value)

    def _of_store(self, argument: str, given: str | os.PathLike[str] | None, variable: str) -> str | None:
        """Return where something of the store is sent. Without a store there is nothing to send."""
        path = self._path(argument, given)
        if self.records:
            return path or environment(variable)
        if path is not None:
            raise ValueError(f"attach(store=False, {argument}=...): without a store there is nothing to send")
        if environment(variable) is not None:
            self.notes.append(f"{PREFIX}{variable} is ignored: store=False, so there is nothing to send")
        return None

    @staticmethod
    def _path(argument: str, given: str | os.PathLike[str] | Literal[False] | None) -> str | None:
        if given is None or given is False or given == "":
            return None
        try:
            path = os.fsdecode(given)
        except TypeError:
            path = "\0"
        if "\0" in path:
            raise ValueError(f"attach({argument}=...) is the path of a file")
        return absolute(path) if argument == "store" else path

    def _number(
        self,
        name: str,
        given: float | None,
        variable: str,
        default: float,
        *,
        low: float,
        high: float = float("inf"),
        most: float = float("inf"),
    ) -> float:
        """Return a number between ``low`` and ``high``. A larger one than ``most``, ``inf`` too, is ``most``."""
        text = environment(variable) if given is None else given
        if text is None:
            return default
        value = _to_number(text)
        if low <= value <= high:
            return min(value, most)
        if given is not None:
            raise ValueError(f"{name} is a number between {low} and {high}")
        self.notes.append(f"{PREFIX}{variable} is not a number between {low} and {high}: {default} is used")
        return default


def _to_number(given: object) -> float:
    """Return a number, or for anything else NaN, which no range contains."""
    try:
        return float(given)  # type: ignore[arg-type]  # whatever the caller gave
    except OverflowError:
        return float("inf")
    except (TypeError, ValueError):
        return float("nan")
