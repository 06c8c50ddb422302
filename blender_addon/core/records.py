# SPDX-License-Identifier: GPL-3.0-or-later
"""Dataclasses to and from JSON objects: known keys are checked, unknown ones are kept in ``extra``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .json_node import Node

Reader = Callable[[Node], Any]
Record = TypeVar("Record")


def read_record(
    cls: type[Record], node: Node, members: Mapping[str, Node], readers: Mapping[str, Reader], warnings: list[str]
) -> Record:
    """An instance of the dataclass ``cls`` out of an object's members.

    Raises:
        MappingError: a required key is missing, or a value is refused by its reader.
    """
    fields = {f.name: f for f in dataclasses.fields(cls) if f.name in readers}  # type: ignore[arg-type]
    known: dict[str, Any] = {key: readers[key](child) for key, child in members.items() if key in fields}
    for name, f in fields.items():
        if _required(f) and name not in known:
            node.fail("{place}: the key {name!r} is missing.", name=name)
    unknown = {key: child.value for key, child in members.items() if key not in fields}
    warnings += [f"{members[key]}: unknown key, kept but not used." for key in unknown]
    return cls(**known | {"extra": unknown})


def write_record(record: Any) -> dict[str, Any]:
    """The plain data of a dataclass, required fields first; defaults are left out, unknown keys put back."""
    data: dict[str, Any] = {}
    for f in sorted(dataclasses.fields(record), key=lambda f: not _required(f)):
        value = getattr(record, f.name)
        default = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        if f.name != "extra" and value != default:
            data[f.name] = _plain(value)
    return data | _plain(record.extra)


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return write_record(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
