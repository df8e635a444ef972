"""Stands in a class for a method that is not a plain function, such as one of ``wrapt`` or ``functools.lru_cache``.

Such an object binds in its own way, and has attributes that the application uses. So the stand-in asks the
original to bind, shows all of its attributes, and comes between only when the bound method is called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from typing_extensions import override


def unbound(original: Any, name: str) -> Callable[..., Any]:
    """Return a plain function that calls ``original`` as a method of its first argument, an object or a class."""

    def call(one: Any, *args: Any, **kwargs: Any) -> Any:
        return _bind(original, one)(*args, **kwargs)

    async def call_later(one: Any, *args: Any, **kwargs: Any) -> Any:
        return await _bind(original, one)(*args, **kwargs)

    found: Any = call_later if inspect.iscoroutinefunction(original) else call
    found.__name__ = name
    found.__wrapped__ = original
    return found  # type: ignore[no-any-return]  # one of the two above


def _bind(original: Any, one: Any) -> Any:
    get = getattr(type(original), "__get__", None)
    if get is None:
        return original
    return get(original, None, one) if isinstance(one, type) else get(original, one, type(one))


class StandIn:
    """A class attribute that binds as ``original`` does, and calls ``wrapper`` with the object in front."""

    __slots__ = ("__dict__", "__weakref__", "_original", "_wrapper")

    def __init__(self, original: Any, wrapper: Callable[..., Any]) -> None:
        object.__setattr__(self, "_original", original)
        object.__setattr__(self, "_wrapper", wrapper)
        for name in ("__doc__", "__module__"):
            vars(self)[name] = getattr(original, name, None)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        owner = type(instance) if owner is None else owner
        get = getattr(type(self._original), "__get__", None)
        bound = self._original if get is None else get(self._original, instance, owner)
        one = owner if getattr(bound, "__self__", None) is owner else instance
        # What the class itself gives of a method is called with the object in front, so it is the original.
        return bound if one is None or not callable(bound) else Bound(bound, self._wrapper, one)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._original(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._original, name, value)

    @override
    def __delattr__(self, name: str) -> None:
        delattr(self._original, name)


class Bound:
    """A bound method that shows everything of ``bound`` and is called through ``wrapper``."""

    __slots__ = ("_bound", "_one", "_wrapper")

    def __init__(self, bound: Any, wrapper: Callable[..., Any], one: Any) -> None:
        object.__setattr__(self, "_bound", bound)
        object.__setattr__(self, "_wrapper", wrapper)
        object.__setattr__(self, "_one", one)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._wrapper(self._one, *args, **kwargs)

    @property  # type: ignore[misc]  # nobody sets it
    @override
    def __class__(self) -> Any:
        return type(self._bound)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bound, name)

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._bound, name, value)

    @override
    def __delattr__(self, name: str) -> None:
        delattr(self._bound, name)

    @override
    def __eq__(self, other: object) -> bool:
        return bool(self._bound == (other._bound if type(other) is Bound else other))

    @override
    def __hash__(self) -> int:
        return hash(self._bound)

    @override
    def __repr__(self) -> str:
        return repr(self._bound)

    @override
    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._bound.__reduce_ex__(protocol)
