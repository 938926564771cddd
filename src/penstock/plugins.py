"""Find plug-ins: modules of one package, and modules that other packages name.

Adding a plug-in is adding a file, or an entry point whose value is a module. No list to edit.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.records import Layout


@cache
def modules(package: str) -> dict[str, str]:
    """Plug-in names of a package and the dotted modules behind them, sorted by name.

    Parameters
    ----------
    package : str
        For example ``penstock.modalities``: the package that is searched, and the entry
        point group. A name of the package itself wins over an entry point's.

    Examples
    --------
    >>> modules("penstock.tasks")["regression"]
    'penstock.tasks.regression'
    """
    found = {point.name: point.module for point in entry_points(group=package)}
    for module in iter_modules(import_module(package).__path__):
        found[module.name] = f"{package}.{module.name}"
    return dict(sorted(found.items()))


def of_table(layout: Layout, pretrained: Iterable[str] = ()) -> set[str]:
    """Dotted modules of the plug-ins that a table uses, and of what reads its pretrained columns.

    Parameters
    ----------
    layout : Layout
        Its task and the modalities of its columns.
    pretrained : iterable of str
        Columns that a pretrained network reads.
    """
    known = modules("penstock.modalities")
    kinds = {c.name: c.modality for c in layout.columns if c.modality in known}
    found = {modules("penstock.tasks")[layout.task], *(known[kind] for kind in kinds.values())}
    for name in pretrained:
        found |= {"penstock.backbones", modules("penstock.backbones")[kinds[name]]}
    return found


def load(package: str, name: str) -> Any:
    """The plug-in module of this name; KeyError when there is none."""
    return import_module(modules(package)[name])


def offered(group: str) -> list[str]:
    """Names of the entry points of a group, sorted."""
    return sorted(point.name for point in entry_points(group=group))
