"""What of the log is computed and not a file: map proofs, and the key while no file is written yet."""

from __future__ import annotations

from flask import Blueprint, Response

from polyphony_registry.log.errors import LogError
from polyphony_registry.log.models import Checkpoint, Record
from polyphony_registry.namespaces.services import check_part
from polyphony_registry.web import services
from polyphony_schemas.trust.map_proof import MapProof, encode_map_proof
from polyphony_schemas.trust.records import MapRecord, parse_record

blueprint = Blueprint("log", __name__, url_prefix="/log")

_HASH = 32


@blueprint.get("/map/<int:size>/<owner>/<name>")
def map_proof(size: int, owner: str, name: str) -> Response:
    """The proof of a name in the keyed map under the checkpoint of ``size``; ``@`` is the namespace itself."""
    check_part(owner, "namespace")
    if name != "@":
        check_part(name, "package name")
    full_name = owner if name == "@" else f"{owner}/{name}"
    log = services().log
    with services().database.read() as session:
        if not size:
            raise LogError(
                "PLY4502", "an empty log has no map", hint="take the size of /log/checkpoint", status=404
            )
        heads = log.maps.at(session, size)
        checkpoint = session.get_one(Checkpoint, size)
        record = parse_record(session.get_one(Record, size - 1).body)
    if not isinstance(record, MapRecord):
        raise LogError("PLY4501", f"the record before size {size} is no map")
    inclusion = tuple(checkpoint.inclusion[i : i + _HASH] for i in range(0, len(checkpoint.inclusion), _HASH))
    proof = encode_map_proof(MapProof(size, record, inclusion, heads.prove(full_name)))
    response = Response(proof, mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
