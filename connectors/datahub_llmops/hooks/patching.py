"""Methods of other people's classes, wrapped and given back.

A wrapper is put only where a class itself defines the method, so giving back is setting what was there; and only where
the attribute still is our wrapper, so that whatever the application (or a test of it) put there since stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

MARK: Final = "__datahub_llmops_wrapped__"
_put: list[tuple[Any, str, Any, Any]] = []


def wrapped(value: object) -> bool:
    """Whether an attribute is a wrapper of ours."""
    return hasattr(getattr(value, "__func__", value), MARK)


def wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> bool:
    """Replace ``owner.name``, where ``owner`` itself defines it, by ``make(function)``.

    Class and static methods stay what they are. Nothing happens to what is wrapped already or is abstract.
    """
    before = vars(owner).get(name)
    if before is None or wrapped(before):
        return False
    function = getattr(before, "__func__", before)
    if not callable(function) or getattr(function, "__isabstractmethod__", False):
        return False
    replacement = make(function)
    setattr(replacement, MARK, True)
    after = type(before)(replacement) if isinstance(before, (classmethod, staticmethod)) else replacement
    setattr(owner, name, after)
    _put.append((owner, name, after, before))
    return True


def restore() -> None:
    """Give everything back that still is ours."""
    while _put:
        owner, name, after, before = _put.pop()
        if vars(owner).get(name) is after:
            setattr(owner, name, before)


def every_subclass(base: type) -> list[type]:
    """``base`` and all classes below it that exist now."""
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
    """Call ``call`` for every class that is derived from ``base`` from now on."""
    before = vars(base).get("__init_subclass__")
    inherited = base.__init_subclass__

    def __init_subclass__(cls: type, **kwargs: Any) -> None:
        if before is not None:
            before.__get__(None, cls)(**kwargs)
        else:
            super(base, cls).__init_subclass__(**kwargs)
        call(cls)

    if wrapped(inherited):
        return
    setattr(__init_subclass__, MARK, True)
    hook: Any = classmethod(__init_subclass__)  # type: ignore[arg-type]  # of a class that is not written here
    base.__init_subclass__ = hook
    _new.append((base, hook, before))


def restore_subclass_hooks() -> None:
    """Take back what ``on_new_subclass`` put; where the base had none, nothing is left."""
    while _new:
        base, hook, before = _new.pop()
        if vars(base).get("__init_subclass__") is hook:
            if before is None:
                del base.__init_subclass__
            else:
                base.__init_subclass__ = before


_new: list[tuple[Any, Any, Any]] = []
