"""Doing something to a module when, and only when, the program imports it."""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING

from outlay.safety import never_raise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Act = Callable[[ModuleType], None]


def when_imported(name: str, act: Act) -> None:
    """Call ``act`` with the module now, if it is imported already, else right after its import."""
    module = sys.modules.get(name)
    if module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False):
        act(module)
        return
    _waiting.setdefault(name, []).append(act)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def forget_imports() -> None:
    """Wait for no import any more."""
    _waiting.clear()
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


class _Finder(MetaPathFinder):
    """Lets the other finders find the module, and its loader tell when it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        acts = _waiting.pop(fullname, None)  # popped first, so that the search below does not come here again
        if acts is None:
            return None
        spec = None
        with never_raise(f"looking for {fullname}"):
            spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        spec.loader = _TellingLoader(spec.loader, acts)
        return spec


class _TellingLoader(Loader):
    """Another loader, with something done after it has executed the module."""

    def __init__(self, loader: Loader, acts: list[Act]) -> None:
        self._loader = loader
        self._acts = acts

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the loader's own."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the loader's own; afterwards the module has its loader back, for those who ask it for sources or data."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        for act in self._acts:
            with never_raise(f"instrumenting {module.__name__}"):
                act(module)


_waiting: dict[str, list[Act]] = {}
_finder = _Finder()
