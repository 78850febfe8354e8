"""Finding plugins and what they hand over, by name."""

from __future__ import annotations

import contextlib
import difflib
import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import pluggy

from cg_ir import plugins
from cg_ir.calls import unknown_argument
from cg_ir.errors import OptionError, PluginError
from cg_ir.plugins import PROJECT

#: Hook of each kind, and the kind in words.
KINDS = {
    "frontend": "cg_frontends", "space": "cg_spaces", "benchmark": "cg_benchmarks", "scorer": "cg_scorers", "evaluator": "cg_evaluators",
    "listener": "cg_run_events", "command": "cg_commands", "bench target": "cg_bench_targets", "bench method": "cg_bench_methods",
    "bench metric": "cg_bench_metrics",
}  # fmt: skip
_WORDS = {"space": "search space", "listener": "listener to runs"}


def _reason(error: BaseException) -> str:
    """How code of a plugin ended, in one line; the user's interrupt is raised again."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    try:
        text = " ".join(str(error).split())
    except BaseException:  # its own __str__ may fail as well
        text = ""
    return f"{type(error).__name__}: {text}"[:300]


@dataclass(frozen=True)
class Entry:
    """One thing that a plugin hands over."""

    kind: str
    name: str
    distribution: str
    make: Any


@dataclass
class Registry:
    """What the installed plugins hand over.

    Attributes:
        manager: pluggy's manager; ``manager.register(module, name=...)`` adds a plugin that is not installed.
        errors: plugins that were skipped: distribution and reason.
    """

    manager: pluggy.PluginManager
    errors: dict[str, str] = field(default_factory=dict)
    _entries: dict[str, dict[str, Entry]] = field(default_factory=dict)
    _clashes: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def discover(cls) -> Registry:
        """Load every entry point of group ``cg``; one that fails is noted and skipped."""
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(plugins)
        result = cls(manager)
        seen: set[tuple[str, str]] = set()
        for entry in sorted(metadata.entry_points(group=PROJECT), key=lambda e: (e.name, e.value)):
            distribution = entry.dist.name if entry.dist else entry.value
            if (entry.name, entry.value) in seen:
                continue
            seen.add((entry.name, entry.value))
            try:
                with contextlib.redirect_stdout(sys.stderr):  # what it prints must not mix with results
                    manager.register(entry.load(), name=f"{distribution}: {entry.name}")
            except BaseException as error:  # a plugin may fail in any way; it is reported, never fatal
                result.errors[distribution] = _reason(error)
        return result

    def register(self, plugin: Any, name: str) -> None:
        """Add a plugin module or object by hand; ``name`` stands for its distribution in messages."""
        self.manager.register(plugin, name=name)
        self._entries.clear()

    def unregister(self, plugin: Any) -> None:
        """Take a plugin out again."""
        self.manager.unregister(plugin)
        self._entries.clear()

    def entries(self, kind: str) -> dict[str, Entry]:
        """Everything of one kind by name, without the names that two plugins hand over; these are among ``errors`` and ``clashes``."""
        if kind in self._entries:
            return self._entries[kind]
        result: dict[str, Entry] = {}
        clashes: dict[str, str] = {}
        for plugin_name, plugin in self.manager.list_name_plugin():
            hook = getattr(plugin, KINDS[kind], None) if plugin is not None else None
            if hook is None:
                continue
            distribution = plugin_name.split(": ")[0]
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    made = list(hook())
                    names = [str(item.name) for item in made]
            except BaseException as error:
                self.errors[distribution] = f"{KINDS[kind]}: {_reason(error)}"
                continue
            for name, item in zip(names, made, strict=True):
                other = result.get(name)
                if other is not None:
                    what = f"{_WORDS.get(kind, kind)} '{name}'"
                    clashes[name] = (
                        f"two plugins hand over the {what}: {other.distribution} and {distribution}; uninstall one"
                    )
                    self.errors[what] = clashes[name]
                else:
                    result[name] = Entry(kind, name, distribution, item)
        self._entries[kind] = {name: entry for name, entry in result.items() if name not in clashes}
        self._clashes[kind] = clashes
        return self._entries[kind]

    def clashes(self, kind: str) -> dict[str, str]:
        """Names that two plugins hand over, and what to say about each."""
        self.entries(kind)
        return self._clashes[kind]

    def get(self, kind: str, name: str) -> Entry:
        """One entry, or a ``PluginError`` that suggests the nearest names."""
        entries = self.entries(kind)
        if name in entries:
            return entries[name]
        if name in self._clashes[kind]:
            raise PluginError(self._clashes[kind][name])
        word = _WORDS.get(kind, kind)
        near = difflib.get_close_matches(name, entries, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(sorted(entries)) or 'none'}"
        broken = f" (skipped plugins: {', '.join(sorted(self.errors))}; see 'cg plugins')" if self.errors else ""
        raise PluginError(f"no {word} is called '{name}'; {hint}{broken}")


@functools.cache
def registry() -> Registry:
    """The registry of this process, discovered on first use."""
    return Registry.discover()


def split_options(name: str) -> tuple[str, dict[str, str]]:
    """``mobilenetv3?resolution=224&x=1`` as name and options."""
    base, _, query = name.partition("?")
    options = {}
    for part in query.split("&") if query else []:
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise PluginError(f"options of '{base}' should look like '{base}?key=value&key=value', not '{name}'")
        options[key] = value
    return base, options


def _get(kind: str, name: str, options: dict[str, Any]) -> Any:
    base, given = split_options(name)
    entry = registry().get(kind, base)
    make: Callable[..., Any] = entry.make
    try:
        return make(**{**given, **options})
    except TypeError as error:
        if given or options:
            reason = unknown_argument(make, given, fixed=options) or error
            nested = [
                f"; '&' ends the option '{key}', behind whose '?' one argument fits"
                for key in given
                if "?" in given[key]
            ]
            message = f"{_WORDS.get(kind, kind)} '{base}' does not take these options: {reason}{''.join(nested)}"
            raise OptionError(message) from None
        raise


def get_space(name: str, **options: Any) -> plugins.SearchSpace:
    """A search space by name, with options as keywords or in the name (``mobilenetv3?resolution=224``)."""
    return _get("space", name, options)


def get_frontend(name: str, **options: Any) -> plugins.Frontend:
    """A frontend by name."""
    return _get("frontend", name, options)


def get_scorer(name: str, **options: Any) -> plugins.Scorer:
    """A scorer by name."""
    return _get("scorer", name, options)


def get_benchmark(name: str, **options: Any) -> plugins.Benchmark:
    """A reader of label tables by name."""
    return _get("benchmark", name, options)


def get_evaluator(name: str, **options: Any) -> plugins.Evaluator:
    """An evaluator by name."""
    return _get("evaluator", name, options)


def get_listener(name: str, **options: Any) -> plugins.RunListener:
    """A listener to runs by name."""
    return _get("listener", name, options)
