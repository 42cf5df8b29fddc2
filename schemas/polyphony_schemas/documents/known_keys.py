"""Which keys a map in a document may have: found from the model's types, for hints about misspelt ones."""

from __future__ import annotations

from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import Tag

from polyphony_schemas.documents.base import DocumentModel


def is_tag(part: str | int) -> bool:
    """Whether a part of an error's location is the tag of a union, and no key of the document."""
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def known_keys(model: type[DocumentModel], location: Sequence[str | int]) -> list[str]:
    """The keys that are known at a location of pydantic's (keys, indexes and union tags)."""
    types: list[Any] = [model]
    for part in location:
        members = [member for kind in types for member in _members(kind)]
        if is_tag(part):
            types = [member for member in members if part in _tags(member)] or members
        else:
            types = [inner for member in members for inner in _inner(member, part)]
    keys: set[str] = set()
    for kind in types:
        for member in _members(kind):
            keys |= set(_fields(_bare(member)))
    return sorted(keys)


def _members(kind: Any) -> list[Any]:
    """The alternatives of a union, each still with its tag."""
    bare = _bare(kind)
    if get_origin(bare) in (Union, UnionType):
        return [member for alternative in get_args(bare) for member in _members(alternative)]
    return [kind]


def _bare(kind: Any) -> Any:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def _tags(kind: Any) -> set[str]:
    found = set()
    while get_origin(kind) is Annotated:
        found |= {item.tag for item in get_args(kind)[1:] if isinstance(item, Tag)}
        kind = get_args(kind)[0]
    return found


def _fields(kind: Any) -> dict[str, Any]:
    if not (isinstance(kind, type) and issubclass(kind, DocumentModel)):
        return {}
    return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}


def _inner(kind: Any, part: str | int) -> list[Any]:
    bare = _bare(kind)
    if get_origin(bare) is dict:
        return [get_args(bare)[1]]
    if get_origin(bare) is tuple:
        return [get_args(bare)[0]]
    fields = _fields(bare)
    return [fields[str(part)]] if str(part) in fields else []
