"""The checks of a whole melody before anything runs, one module for each part of the contract.

Each check is a function over one scope that adds findings; none looks at order in the file.
"""

from __future__ import annotations

from polyphony_schemas.graph.checks.checked import Checked
from polyphony_schemas.graph.checks.connections import check_connections
from polyphony_schemas.graph.checks.core import check_core_nodes
from polyphony_schemas.graph.checks.flow import check_flow
from polyphony_schemas.graph.checks.grants import check_ceiling, check_grants
from polyphony_schemas.graph.checks.handlers import check_handlers
from polyphony_schemas.graph.checks.joins import check_joins
from polyphony_schemas.graph.checks.ports import check_melody_ports, check_ports
from polyphony_schemas.graph.checks.scopes import check_scopes, check_size
from polyphony_schemas.graph.checks.secret_flow import check_secret_flow
from polyphony_schemas.graph.checks.taking_back import check_taking_back
from polyphony_schemas.graph.checks.uses import check_uses
from polyphony_schemas.graph.findings import Findings

__all__ = ["Checked", "check_melody"]


def check_melody(checked: Checked, findings: Findings) -> None:
    """Run every check over every scope."""
    check_size(checked.root, findings)
    check_melody_ports(checked, findings)
    for scope in checked.root.walk():
        check_connections(scope, findings)
        check_ports(scope, checked.schemas, findings)
        check_joins(scope, findings)
        check_flow(scope, findings)
        check_handlers(scope, findings)
        check_scopes(scope, findings)
        check_core_nodes(scope, findings)
        check_uses(scope, checked.melody, findings)
        check_taking_back(scope, findings)
        check_grants(scope, checked, findings)
    check_ceiling(checked, findings)
    check_secret_flow(checked, findings)
