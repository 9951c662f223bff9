"""What a configuration model accepts: its keys by dotted path, and what a value may be in words."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

NAME = "NAME"
"""Stands in a path for a key that the user chooses."""


_WORDS: dict[Any, str] = {
    bool: "true or false",
    date: "a date such as 2020-01-31",
    Path: "a path",
}


@dataclass(frozen=True)
class Key:
    """One key of a model.

    Attributes
    ----------
    path : tuple of str
        Path from the top of the file; ``NAME`` for a key of the user's choice.
    annotation : type
        Type of the value.
    metadata : tuple
        Limits of the value.
    default : object
        Value when the key is left out; ``...`` when it must be given.
    """

    path: tuple[str, ...]
    annotation: Any
    metadata: tuple[Any, ...]
    default: Any

    @property
    def dotted(self) -> str:
        """Path as written in messages."""
        return ".".join(self.path)


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields of a model by the name that a file uses."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def keys(
    model: type[BaseModel], path: tuple[str, ...] = (), defaults: BaseModel | None = None
) -> Iterator[Key]:
    """Every key of a model that holds a value (tables are walked into).

    Parameters
    ----------
    model : type of BaseModel
        The model.
    path : tuple of str
        Where the model stands in the file.
    defaults : BaseModel, optional
        What the table is when it is left out, where that differs from the model's own defaults: the costs
        of crypto are others than those of stocks.
    """
    for name, field in model.model_fields.items():
        annotation = plain(field.annotation)
        here = (*path, field.alias or name)
        entry = _entry_model(annotation)
        default = _default(name, field, defaults)
        if is_model(annotation):
            yield from keys(annotation, here, default if isinstance(default, BaseModel) else None)
        elif entry is not None:
            yield from keys(entry, (*here, NAME))
        else:
            yield Key(here, annotation, tuple(field.metadata), default)


def _default(name: str, field: FieldInfo, defaults: BaseModel | None) -> Any:
    """Value of a key that is left out; ``...`` when it must be given."""
    if defaults is not None:
        return getattr(defaults, name)
    return ... if field.is_required() else field.get_default(call_default_factory=True)


def at(model: type[BaseModel], path: tuple[str | int, ...]) -> tuple[Any, tuple[Any, ...]] | None:
    """Type and limits of the value at a path; None where the model knows nothing of it."""
    annotation: Any = model
    metadata: tuple[Any, ...] = ()
    for part in path:
        if is_model(annotation):
            field = fields_of(annotation).get(str(part))
            if field is None:
                return None
            annotation, metadata = plain(field.annotation), tuple(field.metadata)
        elif get_origin(annotation) in (dict, tuple, list):
            arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
            annotation, metadata = unwrapped(arguments[-1])
        else:
            return None
    return annotation, metadata


def allowed(annotation: Any, metadata: tuple[Any, ...]) -> str:
    """What a value may be, as the end of the sentence "must be ..."."""
    origin = get_origin(annotation)
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(annotation))
    if origin in (tuple, list):
        return 'a list such as ["A", "B"]'
    if origin is dict or is_model(annotation):
        return "a table of keys"
    if annotation in (int, float):
        return ("a whole number" if annotation is int else "a number") + _limits(metadata)
    if annotation is str:
        return _text(metadata)
    return _WORDS.get(annotation, "another value")


def _text(metadata: tuple[Any, ...]) -> str:
    pattern = next((item.pattern for item in metadata if getattr(item, "pattern", None)), None)
    if pattern is not None:
        return f"text that matches {pattern}"
    return "text, and not empty" if any(isinstance(item, MinLen) for item in metadata) else "text"


def _limits(metadata: tuple[Any, ...]) -> str:
    words = {Gt: ("above", "gt"), Ge: ("at least", "ge"), Lt: ("below", "lt"), Le: ("at most", "le")}
    parts = [
        f"{words[type(item)][0]} {getattr(item, words[type(item)][1])}"
        for item in metadata
        if type(item) in words
    ]
    return " " + " and ".join(parts) if parts else ""


def plain(annotation: Any) -> Any:
    """Type without ``Annotated`` and without ``| None``."""
    return unwrapped(annotation)[0]


def unwrapped(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Type without ``Annotated`` and ``| None``, and the limits that these carried."""
    metadata: tuple[Any, ...] = ()
    if get_origin(annotation) is Annotated:
        annotation, *extra = get_args(annotation)
        for item in extra:
            metadata += tuple(item.metadata) if isinstance(item, FieldInfo) else (item,)
    if get_origin(annotation) in (Union, types.UnionType):
        inner, more = unwrapped(next(a for a in get_args(annotation) if a is not type(None)))
        return inner, metadata + more
    return annotation, metadata


def is_model(annotation: Any) -> bool:
    """Whether a type is a model, that is a table of known keys."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _entry_model(annotation: Any) -> type[BaseModel] | None:
    """Model of the entries of a table whose keys the user chooses."""
    if get_origin(annotation) is dict and is_model(get_args(annotation)[1]):
        model: type[BaseModel] = get_args(annotation)[1]
        return model
    return None
