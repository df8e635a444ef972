"""Wraps methods of other people's classes and restores them.

A method is wrapped only on the class that defines it, so restoring sets what was there before. It is restored only if
the attribute still is our wrapper, so what the application (or its tests) has put there since stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

MARK: Final = "__datahub_llmops_wrapped__"
_wrapped: list[tuple[Any, str, Any, Any]] = []


def is_wrapped(value: object) -> bool:
    """Return whether an attribute is a wrapper of ours."""
    return hasattr(getattr(value, "__func__", value), MARK)


def wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> bool:
    """Replace ``owner.name`` by ``make(function)`` if ``owner`` itself defines it; return whether it was replaced.

    Class and static methods keep their kind. A wrapped or abstract method is left alone.
    """
    before = vars(owner).get(name)
    if before is None or is_wrapped(before):
        return False
    function = getattr(before, "__func__", before)
    if not callable(function) or getattr(function, "__isabstractmethod__", False):
        return False
    replacement = make(function)
    setattr(replacement, MARK, True)
    after = type(before)(replacement) if isinstance(before, (classmethod, staticmethod)) else replacement
    setattr(owner, name, after)
    _wrapped.append((owner, name, after, before))
    return True


def restore() -> None:
    """Restore everything that is still ours."""
    while _wrapped:
        owner, name, after, before = _wrapped.pop()
        if vars(owner).get(name) is after:
            setattr(owner, name, before)


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


def on_new_subclass(base: Any, call: Callable[[type], None]) -> None:
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
    setattr(__init_subclass__, MARK, True)
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
