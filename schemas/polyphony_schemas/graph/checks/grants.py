"""Permissions before the run: what nodes name lies under the ceiling, what extensions need is there (docs/melody.md).

Grants that are computed are compared by their text, and where that cannot tell, at run time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from polyphony_schemas.graph.checks.checked import Checked
from polyphony_schemas.graph.findings import Findings
from polyphony_schemas.graph.model import GraphNode, Template
from polyphony_schemas.graph.scope import Scope
from polyphony_schemas.melody import Melody, Step
from polyphony_schemas.permissions.declared import ceiling_of
from polyphony_schemas.permissions.effective import Missing
from polyphony_schemas.permissions.items import NAMED_AT_NODE, PATH_KEYS, covered, path_of, text_of
from polyphony_schemas.permissions.keys import PERMISSION_KEYS, Declared, Grants
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.values import JsonValue

ABOVE_CEILING = "PLY1701"
NOT_GRANTED = "PLY1702"
UNUSED_CEILING = "PLY1703"
UNUSED_GRANT = "PLY1704"
NOT_PASSED_ON = "PLY1705"

_OWN_VALUE = re.compile(r"\$\{\s*(?:inputs|parameters)\.([a-z][a-z0-9_]*)\s*\}")
# A grant that only the run can tell.
_UNKNOWN: JsonValue = "${ ? }"


def check_grants(scope: Scope, checked: Checked, findings: Findings) -> None:
    """The nodes of one scope against the ceiling."""
    ceiling = {key: _items(template) for key, template in checked.compiled.ceiling.items()}
    for name, node in scope.graph.nodes.items():
        model = scope.model.nodes[name]
        for key, items in _named(scope, name).items():
            for number, item in enumerate(items):
                if not _may_lie_in(key, item, ceiling.get(key, ())):
                    missing = Missing(key, item, "config")
                    findings.error(
                        ABOVE_CEILING,
                        scope.node_pointer(name, "permissions", key, number),
                        f"node {name!r} names {missing.line}, which config.permissions does not allow",
                        f"add {missing.line} under config.permissions, or remove it here",
                    )
        interface = checked.packages.get(node.package or "")
        if isinstance(model, Step) and interface is not None and interface.kind == "extension":
            _check_needs(scope, node, interface.permissions, ceiling, findings)
        elif isinstance(model, Step) and interface is not None:
            _check_passes(scope, node, interface.permissions, ceiling, findings)


def _check_passes(
    scope: Scope, node: GraphNode, wants: Declared, ceiling: Grants, findings: Findings
) -> None:
    """A melody's nodes get no more than the node that uses it passes on."""
    own = _named(scope, node.id)
    for key in PERMISSION_KEYS:
        items = wants.get(key, ())
        at_node = key in own or key in NAMED_AT_NODE
        passed = own.get(key, ()) if at_node else ceiling.get(key, ())
        for written in items if items != "granted" else ():
            if not _may_lie_in(key, written, passed):
                missing = Missing(key, written, "node" if at_node else "config")
                where = "the node's permissions" if at_node else "config.permissions"
                findings.warning(
                    NOT_PASSED_ON,
                    scope.node_pointer(node.id),
                    f"{node.uses} may use {missing.line}, which node {node.id!r} does not pass on:"
                    " what needs it inside will fail",
                    f"add {missing.line} under {where}, or leave it out on purpose",
                )


def _check_needs(scope: Scope, node: GraphNode, needs: Declared, ceiling: Grants, findings: Findings) -> None:
    own = _named(scope, node.id)
    for key in PERMISSION_KEYS:
        declared = needs.get(key, ())
        # A secret that is named where the network is says that it may go there (secret_flow).
        allows = key == "secrets" and bool(own.get("network"))
        if key in own and own[key] and not declared and not allows:
            findings.warning(
                UNUSED_GRANT,
                scope.node_pointer(node.id, "permissions", key),
                f"node {node.id!r} names {key}, which {node.uses} does not ask for",
                "remove it: it has no effect",
            )
        for written in declared if declared != "granted" else ():
            item = _resolved(scope, node, key, written)
            if (key in own or key in NAMED_AT_NODE) and not _may_lie_in(key, item, own.get(key, ())):
                _report(scope, node, Missing(key, _shown(item, written), "node"), findings)
            elif not _may_lie_in(key, item, ceiling.get(key, ())):
                _report(scope, node, Missing(key, _shown(item, written), "config"), findings)


def _named(scope: Scope, name: str) -> Grants:
    permissions = scope.model.nodes[name].permissions
    return {} if permissions is None else ceiling_of(permissions)


def _report(scope: Scope, node: GraphNode, missing: Missing, findings: Findings) -> None:
    where = "the node's permissions" if missing.place == "node" else "config.permissions"
    findings.error(
        NOT_GRANTED,
        scope.node_pointer(node.id),
        missing.explain(node.id) + f" ({node.uses} cannot work without)",
        f"add {missing.line} under {where}",
    )


def _shown(item: JsonValue, written: JsonValue) -> JsonValue:
    return written if item == _UNKNOWN else item


def _resolved(scope: Scope, node: GraphNode, key: str, item: JsonValue) -> JsonValue:
    """An extension's grant with the node's own value put in for ``${ inputs.X }``, where the document has it."""
    text = path_of(item) if key in PATH_KEYS else item
    if not isinstance(text, str) or "${" not in text:
        return item
    found = _OWN_VALUE.fullmatch(text)
    if found is None:
        return _UNKNOWN
    value = _own_value(scope, node, found[1])
    return {**item, "path": value} if isinstance(item, Mapping) and isinstance(value, str) else value


def _own_value(scope: Scope, node: GraphNode, name: str) -> JsonValue:
    template = node.values.get(name)
    if template is not None:
        return template.value if isinstance(template.value, str) else _UNKNOWN
    if any(edge.target == node.id and edge.target_port == name for edge in scope.graph.edges):
        return _UNKNOWN
    port = node.inputs.get(name)
    return port.default if port is not None and isinstance(port.default, str) else _UNKNOWN


def _may_lie_in(key: str, item: JsonValue, grants: Iterable[JsonValue]) -> bool:
    """Whether some grant allows the item, or might: with ``${ cel }`` on either side only the run can tell."""
    return any(
        _same_text(item, grant) or _is_computed(item) or _is_computed(grant) or covered(key, item, grant)
        for grant in grants
    )


def _is_computed(item: JsonValue) -> bool:
    return "${" in text_of(item)


def _same_text(item: JsonValue, grant: JsonValue) -> bool:
    return re.sub(r"\s", "", text_of(item)) == re.sub(r"\s", "", text_of(grant))


def _items(template: Template) -> tuple[JsonValue, ...]:
    return tuple(template.value) if isinstance(template.value, list) else ()


def check_ceiling(checked: Checked, findings: Findings) -> None:
    """Warn about ceiling entries that no node can use; silent while a package is unknown."""
    root, packages = checked.root, checked.packages
    if any(scope.unknown for scope in root.walk()):
        return
    wanted: dict[str, list[JsonValue]] = {"secrets": list(_secrets_of_config(checked.melody))}
    for scope in root.walk():
        for name, node in scope.graph.nodes.items():
            for key, item in _wanted(scope, name, node, packages):
                wanted.setdefault(key, []).append(item)
    for key, template in checked.compiled.ceiling.items():
        for number, grant in enumerate(_items(template)):
            if not any(_may_lie_in(key, item, (grant,)) for item in wanted.get(key, ())):
                findings.warning(
                    UNUSED_CEILING,
                    f"/config/permissions/{key}/{number}",
                    f"no node can use {key}: {text_of(grant)}",
                    "remove it, so that people are asked for less",
                )


def _wanted(
    scope: Scope, name: str, node: GraphNode, packages: Mapping[str, PackageInterface]
) -> Iterator[tuple[str, JsonValue]]:
    own = _named(scope, name)
    interface = packages.get(node.package or "")
    for key in PERMISSION_KEYS:
        declared = interface.permissions.get(key, ()) if interface is not None else ()
        takes_named = declared == "granted" or (interface is not None and interface.kind == "melody")
        for item in own.get(key, ()) if takes_named or declared else ():
            yield key, item
        if declared != "granted" and (key not in NAMED_AT_NODE or key in own):
            for item in declared:
                yield key, _resolved(scope, node, key, item)


def _secrets_of_config(melody: Melody) -> Iterator[JsonValue]:
    """Secrets that triggers and notifications use."""
    for notify in melody.config.notify:
        if notify.slack is not None:
            yield notify.slack.secret
        if notify.webhook is not None and notify.webhook.secret is not None:
            yield notify.webhook.secret
    for trigger in melody.triggers:
        if trigger.webhook is not None and trigger.webhook.secret is not None:
            yield trigger.webhook.secret
