"""On which line of a YAML file each key stands, so that a mistake can be found."""

from __future__ import annotations

import yaml


def key_lines(node: yaml.Node | None, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    """Line of each key and of each item of a list, counted from 1.

    Examples
    --------
    >>> key_lines(yaml.compose("a:\\n  b: [1, 2]"))
    {('a',): 1, ('a', 'b'): 2, ('a', 'b', '0'): 2, ('a', 'b', '1'): 2}
    """
    if isinstance(node, yaml.MappingNode):
        inner = [(str(key.value), key.start_mark, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        inner = [(str(index), item.start_mark, item) for index, item in enumerate(node.value)]
    else:
        return {}
    found: dict[tuple[str, ...], int] = {}
    for name, mark, value in inner:
        found[(*path, name)] = mark.line + 1
        found |= key_lines(value, (*path, name))
    return found
