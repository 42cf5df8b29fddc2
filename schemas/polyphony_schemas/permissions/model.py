"""The permission map of a node, a ceiling or an extension, as it is written (docs/extension.md).

    >>> PermissionMap.model_validate({"network": ["api.example.com:443", "package-index"]}).network
    ('api.example.com:443', 'package-index')

Every item may be wholly ``${ cel }``.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from polyphony_schemas.documents.base import DocumentModel, Items, refuse
from polyphony_schemas.documents.fields import BY_SHAPE, LIST, MAP, TEXT
from polyphony_schemas.permissions.keys import PACKAGE_INDEX

_HOST = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])"
_ENDPOINT = re.compile(rf"(?:http://)?{_HOST}:(\d{{1,5}})")
_EXPECTED_NETWORK = "host:port, http://host:port, {url, private} or package-index"


def is_expression(text: str) -> bool:
    """Whether a string is wholly ``${ cel }``."""
    return text.startswith("${") and text.endswith("}") and not text.startswith("${{")


def check_endpoint(text: str) -> str:
    """Let ``host:port`` and ``http://host:port`` pass; raises a document error for anything else."""
    if is_expression(text):
        return text
    found = _ENDPOINT.fullmatch(text)
    if found is None or not 0 < int(found[1]) < 65536:
        raise refuse(
            4, f"{text!r} is not a network grant", expected=_EXPECTED_NETWORK, hint=_network_hint(text)
        )
    return text


def _network_hint(text: str) -> str:
    if "*" in text:
        return "there is no wildcard: name each host with its port"
    if text.startswith("https://"):
        host = text.removeprefix("https://").split("/")[0]
        return f"write {host if ':' in host else host + ':443'}"
    if "/" in text.removeprefix("http://"):
        return "grants name hosts and ports, not paths"
    return f"add the port, such as {text}:443" if ":" not in text else ""


def _network_text(text: str) -> str:
    return text if text == PACKAGE_INDEX else check_endpoint(text)


class ReadGrant(DocumentModel):
    """A path to read; ``copy`` is a private writable copy that is thrown away."""

    path: str
    view: Literal["bind", "copy"] = "bind"


class WriteGrant(DocumentModel):
    """A path to write; ``copy`` becomes a reviewed diff, ``direct`` is written at once."""

    path: str
    mode: Literal["copy", "direct"] = "copy"


class NetworkGrant(DocumentModel):
    """An endpoint; ``private`` says that it lies in the user's own machine or network."""

    url: Annotated[str, AfterValidator(check_endpoint)]
    private: bool = False


ReadItem = Annotated[Annotated[str, TEXT] | Annotated[ReadGrant, MAP], BY_SHAPE]
WriteItem = Annotated[Annotated[str, TEXT] | Annotated[WriteGrant, MAP], BY_SHAPE]
NetworkText = Annotated[str, AfterValidator(_network_text)]
NetworkItem = Annotated[Annotated[NetworkText, TEXT] | Annotated[NetworkGrant, MAP], BY_SHAPE]
_Granted = Annotated[Literal["granted"], TEXT]


class PermissionMap(DocumentModel):
    """What a node is granted, or a melody's ceiling. An absent key was not named; an empty list names nothing."""

    read: Items[ReadItem] | None = None
    write: Items[WriteItem] | None = None
    run: Items[str] | None = None
    env: Items[str] | None = None
    network: Items[NetworkItem] | None = None
    secrets: Items[str] | None = None
    models: Items[str] | None = None


class DeclaredPermissions(DocumentModel):
    """What an extension needs. The word ``granted`` takes whatever the node names for that key."""

    read: Annotated[_Granted | Annotated[Items[ReadItem], LIST], BY_SHAPE] | None = None
    write: Annotated[_Granted | Annotated[Items[WriteItem], LIST], BY_SHAPE] | None = None
    run: Annotated[_Granted | Annotated[Items[str], LIST], BY_SHAPE] | None = None
    env: Annotated[_Granted | Annotated[Items[str], LIST], BY_SHAPE] | None = None
    network: Annotated[_Granted | Annotated[Items[NetworkItem], LIST], BY_SHAPE] | None = None
    secrets: Annotated[_Granted | Annotated[Items[str], LIST], BY_SHAPE] | None = None
    models: Annotated[_Granted | Annotated[Items[str], LIST], BY_SHAPE] | None = None
