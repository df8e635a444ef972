"""Wraps methods of other people's classes and restores them.

A method is wrapped only on the class that defines it, so restoring sets what was there before. It is restored only if
the attribute still is our wrapper, so what the application (or its tests) has put there since stays. Nothing here keeps
a class alive: notebooks and web frameworks define the same classes again and again.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, Final

from datahub_llmops.hooks.guard import guarded

MARK: Final = "__datahub_llmops_wrapped__"
"""Our wrapper, and what it replaced, as an attribute of the wrapper. A copy of the attribute on another function, as
``functools.wraps`` makes it, does not count."""

_HOLDERS: Final = (classmethod, staticmethod, MethodType)

_owners: Final[dict[int, tuple[weakref.ref[Any], list[str]]]] = {}
"""Names of the wrapped attributes, by the number of the class or module that has them."""


def is_wrapped(value: object) -> bool:
    """Return whether an attribute is a wrapper of ours."""
    return _find_mark(value) is not None


def _find_mark(value: Any) -> tuple[Any, Any] | None:
    """Return our wrapper and what it replaced. No code of the object itself runs, since it might do anything."""
    function = value.__func__ if type(value) in _HOLDERS else value
    try:
        mark = object.__getattribute__(function, "__dict__").get(MARK)
    except AttributeError:
        return None
    return mark if type(mark) is tuple and mark[0] is function else None


@guarded("patching.wrap")
def wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> bool:
    """Replace ``owner.name`` by ``make(function)`` if ``owner`` itself defines it; return whether it is wrapped now.

    Class and static methods keep their kind. Whatever else is not a plain function (a method that another tool has
    wrapped, or one with a cache) keeps its binding and its attributes. An abstract method is left alone, and so is a
    property: what it does on access and assignment is its own.
    """
    before = vars(owner).get(name)
    after = _replace(before, name, make, isinstance(owner, type))
    if after is None:
        return is_wrapped(before)
    setattr(owner, name, after)
    key = id(owner)
    if key not in _owners:
        _owners[key] = weakref.ref(owner, lambda _gone: _owners.pop(key, None)), []
    _owners[key][1].append(name)
    return True


def _replace(before: Any, name: str, make: Callable[[Any], Any], binds: bool) -> Any:
    """Return the wrapper of an attribute, or ``None`` for one that is left alone."""
    if before is None or is_wrapped(before) or getattr(before, "__isabstractmethod__", False):
        return None
    kind = type(before)
    function = before.__func__ if kind in (classmethod, staticmethod) else before
    if _is_plain(function, name):
        wrapper = make(function)
        setattr(wrapper, MARK, (wrapper, before))
        return kind(wrapper) if kind in (classmethod, staticmethod) else wrapper
    if not binds or kind is staticmethod or hasattr(kind, "__set__"):
        return None
    if not callable(before) and not hasattr(kind, "__get__"):
        return None
    from datahub_llmops.hooks.stand_in import StandIn, unbound  # Attaching does without it.

    stand_in = StandIn(before, make(unbound(before, name)))
    vars(stand_in)[MARK] = (stand_in, before)
    return stand_in


def _is_plain(function: object, name: str) -> bool:
    """Return whether a copy of the function's attributes is as good as the attributes.

    A decorator may count its calls in them, and a function of another name does not say which method it is.
    """
    return (
        type(function) is FunctionType
        and function.__name__ == name
        and all(key.startswith("__") for key in function.__dict__)
    )


def restore() -> None:
    """Restore everything that is still ours."""
    while _owners:
        _, (ref, names) = _owners.popitem()
        owner = ref()
        for name in names if owner is not None else ():
            mark = _find_mark(vars(owner).get(name))
            if mark is not None:
                setattr(owner, name, mark[1])


def list_subclasses(base: type) -> list[type]:
    """List ``base`` and all classes below it that exist now."""
    found: dict[type, None] = {base: None}
    waiting = [base]
    while waiting:
        subclasses: list[type] = type.__subclasses__(waiting.pop())
        for below in subclasses:
            if below not in found:
                found[below] = None
                waiting.append(below)
    return list(found)


def on_new_subclass(base: Any, call: Callable[[type], object]) -> None:
    """Call ``call`` for every class that is derived from ``base`` in future."""
    before = vars(base).get("__init_subclass__")
    inherited = base.__init_subclass__

    def __init_subclass__(cls: type, **kwargs: Any) -> None:
        if before is not None:
            before.__get__(None, cls)(**kwargs)
        else:
            super(base, cls).__init_subclass__(**kwargs)
        call(cls)

    if is_wrapped(inherited):
        return
    setattr(__init_subclass__, MARK, (__init_subclass__, before))
    hook: Any = classmethod(__init_subclass__)  # type: ignore[arg-type]  # of a class that is not written here
    base.__init_subclass__ = hook
    _new.append((base, hook, before))


def restore_subclass_hooks() -> None:
    """Remove the hooks of ``on_new_subclass``; a base that had no hook has none again."""
    while _new:
        base, hook, before = _new.pop()
        if vars(base).get("__init_subclass__") is hook:
            if before is None:
                del base.__init_subclass__
            else:
                base.__init_subclass__ = before


_new: list[tuple[Any, Any, Any]] = []
"""The hooks of ``on_new_subclass``, on classes of the frameworks."""
