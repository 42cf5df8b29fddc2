"""A secret may go where it was granted: no node that got something from its holder talks to other hosts unseen.

A secret is *granted for a host* when one node names both. It is an error when the outputs of a node that holds a secret
can reach, over data connections, a node that may talk to a host for which the secret was granted nowhere, unless that
node names the secret too. To name it there allows it, and gives nothing to an extension that does not ask for secrets.
Names and hosts are compared as they are written. Outputs are masked as well; that stops a plain copy, not a disguised one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polyphony_schemas.graph.checks.checked import Checked
from polyphony_schemas.graph.findings import Findings, join_pointer
from polyphony_schemas.graph.flow import Flow
from polyphony_schemas.graph.model import GraphNode
from polyphony_schemas.permissions.items import endpoint
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.values import JsonValue

SECRET_FLOW = "PLY1706"  # noqa: S105 -- a code
_MOST_FINDINGS = 50


@dataclass(frozen=True, slots=True)
class _Reach:
    """One node: the secrets that it names and holds, and the hosts that it may talk to."""

    named: frozenset[str]
    held: frozenset[str]
    hosts: frozenset[str]


def check_secret_flow(checked: Checked, findings: Findings) -> None:
    """All scopes at once: values cross their borders."""
    flow = Flow.of(checked.compiled.graph)
    reaches = {path: _reach(node, checked.packages) for path, node in flow.nodes.items() if node.package}
    bits = {
        secret: 1 << number
        for number, secret in enumerate(sorted({one for reach in reaches.values() for one in reach.held}))
    }
    if not bits or not any(reach.hosts for reach in reaches.values()):
        return
    granted: dict[str, int] = {}
    for reach in reaches.values():
        for host in reach.hosts:
            granted[host] = granted.get(host, 0) | _mask(reach.named, bits)
    tainted = _tainted(flow, {path: _mask(reach.held, bits) for path, reach in reaches.items()})
    reported = 0
    for path, reach in reaches.items():
        got = tainted.get(f"{path}>", 0) & ~_mask(reach.named, bits)
        hosts = [host for host in sorted(reach.hosts) if got & ~granted.get(host, 0)]
        for secret, bit in bits.items() if hosts else ():
            reached = [host for host in hosts if got & bit & ~granted[host]]
            if reached and reported < _MOST_FINDINGS:
                reported += 1
                holders = {
                    f for one, other in reaches.items() if secret in other.held for f in (one, f"{one}!")
                }
                _report(flow.path(holders, f"{path}>"), secret, reached, findings)


def _tainted(flow: Flow, held: Mapping[str, int]) -> dict[str, int]:
    """What each vertex may carry; walked in the order of the flow until nothing changes."""
    masks: dict[str, int] = {}
    for path, mask in held.items():
        masks[path] = masks[f"{path}!"] = mask
    order = flow.order()
    changed = True
    while changed:
        changed = False
        for vertex in order:
            mask = masks.get(vertex, 0)
            for other in flow.next.get(vertex, ()) if mask else ():
                before = masks.get(other, 0)
                if mask | before != before:
                    masks[other] = mask | before
                    changed = True
    return masks


def _reach(node: GraphNode, packages: Mapping[str, PackageInterface]) -> _Reach:
    """What a package does not ask for it does not get; of one that is not here anything may be asked."""
    interface = packages.get(node.package or "")
    named = frozenset(str(item) for item in _items(node, "secrets"))
    hosts = frozenset(endpoint(item).url for item in _items(node, "network"))
    asks = {key for key in ("secrets", "network") if interface is None or interface.permissions.get(key)}
    return _Reach(
        named, named if "secrets" in asks else frozenset(), hosts if "network" in asks else frozenset()
    )


def _items(node: GraphNode, key: str) -> tuple[JsonValue, ...]:
    template = node.permissions.get(key)
    return tuple(template.value) if template is not None and isinstance(template.value, list) else ()


def _mask(secrets: frozenset[str], bits: Mapping[str, int]) -> int:
    mask = 0
    for secret in secrets:
        mask |= bits.get(secret, 0)
    return mask


def _report(path: list[str], secret: str, hosts: list[str], findings: Findings) -> None:
    sink = path[-1]
    pointer = "".join(join_pointer("", "nodes", part) for part in sink.split("/"))
    findings.error(
        SECRET_FLOW,
        join_pointer(pointer, "permissions", "network"),
        f"what node {path[0]!r} makes of the secret {secret!r} can reach {', '.join(hosts)} by {' → '.join(path)},"
        " and was granted for it nowhere",
        f"cut the connection, or add {secret} to permissions.secrets of node {sink!r} to allow it",
    )
