"""Network grants as endpoints: ``host:port``, ``http://host:port``, ``{url, private}`` (docs/extension.md).

>>> endpoints({"network": ["API.example.com.:443", "http://127.0.0.1:11434", "package-index"]})
(Endpoint(host='api.example.com', port=443, plain=False, private=False, index=False), Endpoint(host='127.0.0.1', port=11434, plain=True, private=True, index=False))
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from polyphony_runner.grants.values import Grants
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.sandbox.spec import Endpoint
from polyphony_schemas.values import JsonValue

PACKAGE_INDEX = "package-index"
_ENDPOINT = re.compile(
    r"(?P<plain>http://)?(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s/@\[\]:%*?#]+)):(?P<port>\d{1,5})"
)


def wants_package_index(grants: Grants) -> bool:
    """Whether the symbolic ``package-index`` was granted."""
    return PACKAGE_INDEX in grants.get("network", ())


def endpoints(grants: Grants) -> tuple[Endpoint, ...]:
    """The granted endpoints, ``package-index`` left out, each once. NodeError PLY3410 for any other shape."""
    found = [endpoint(value) for value in grants.get("network", ()) if value != PACKAGE_INDEX]
    return tuple(dict.fromkeys(found))


def endpoint(value: JsonValue) -> Endpoint:
    """One network grant; a literal address counts as private."""
    private = False
    text = value
    if isinstance(value, Mapping) and set(value) <= {"url", "private"}:
        text, private = value.get("url"), value.get("private") is True
    match = _ENDPOINT.fullmatch(text) if isinstance(text, str) else None
    if match is None or not 0 < int(match["port"]) < 65536:
        raise NodeError(
            "permission",
            "PLY3410",
            f"the network grant {value!r} cannot be read",
            hint="write host:port, http://host:port, {url, private: true} or package-index",
        )
    host = str(match["six"] or match["host"]).lower()
    host = host.removesuffix(".")
    literal = _is_address(host)
    return Endpoint(host, int(match["port"]), plain=bool(match["plain"]), private=private or literal)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
