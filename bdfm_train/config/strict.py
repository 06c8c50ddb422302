# SPDX-License-Identifier: MIT
"""TOML files to dataclasses; what a file has too much, lacks, or gives in a wrong kind is named."""

from __future__ import annotations

import math
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from bdfm_train.errors import ConfigError

Made = TypeVar("Made")


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}).") from error


def make(
    cls: type[Made], values: dict[str, Any], path: Path, section: str = "", given: dict[str, Any] | None = None
) -> Made:
    """An instance of a dataclass whose fields are whole numbers, numbers, texts, lists, tables or dataclasses again.

    Args:
        cls: the dataclass.
        values: what the file says.
        path: of the file, for messages.
        section: name of the table, for messages.
        given: fields that do not come from the file.

    Raises:
        ConfigError: a key is unknown or missing, or a value of the wrong kind, below 0 or not finite.
    """
    hints = get_type_hints(cls)
    given = given or {}
    names = [field.name for field in fields(cls) if field.name not in given]  # type: ignore[arg-type]
    where = f"{path}: [{section}] " if section else f"{path}: "
    if unknown := [key for key in values if key not in names]:
        raise ConfigError(f"{where}{unknown[0]!r} is no setting. Known are: {', '.join(names)}.")
    if missing := [name for name in names if name not in values]:
        raise ConfigError(f"{where}{missing[0]!r} is missing.")
    made = {}
    for name in names:
        inner = f"{section}.{name}" if section else name
        if is_dataclass(hints[name]):
            if not isinstance(values[name], dict):
                raise ConfigError(f"{where}{name} must be a table, [{inner}].")
            made[name] = make(hints[name], values[name], path, inner)
        else:
            made[name] = _checked(values[name], hints[name], f"{where}{name}")
    return cls(**made, **given)


def _checked(value: Any, kind: Any, what: str) -> Any:
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if not isinstance(value, list) or len(value) != len(kinds):
            raise ConfigError(f"{what} must be a list of {len(kinds)}, not {value!r}.")
        return tuple(_checked(item, inner, what) for item, inner in zip(value, kinds, strict=True))
    if get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{what} must be a table, not {value!r}.")
        return {key: _checked(item, get_args(kind)[1], f"{what}.{key}") for key, item in value.items()}
    if kind is str:
        if not isinstance(value, str):
            raise ConfigError(f"{what} must be a text, not {value!r}.")
        return value
    allowed = int if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or not 0 <= value < math.inf:
        raise ConfigError(f"{what} must be a {'whole ' if kind is int else ''}number, 0 or above, not {value!r}.")
    return kind(value)
