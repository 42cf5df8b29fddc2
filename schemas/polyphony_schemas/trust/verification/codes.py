"""The refusals of the verification: one code, one meaning, one hint. The third digit is the numbered step.

>>> str(refusal("PLY5205", "size 4, this client saw 9")), refusal("PLY5205", "").step
('size 4, this client saw 9', 2)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from polyphony_schemas.errors import FormatError, TrustError
from polyphony_schemas.scalars import format_duration

# The names of the steps 1 to 8, as the result of ``verify`` lists them.
STEPS = ("name", "checkpoint", "history", "bundle", "statement", "policy", "content", "store")

_MIRROR = "fetch again, or from another mirror; if it stays, tell the registry's operator and other users"
_PUBLISHER = "ask the publisher, and do not install it meanwhile"

# Code → (meaning, what to do).
CODES: Mapping[str, tuple[str, str]] = {
    "PLY5101": ("no canonical package name, or content that no registry knows", "polyphony publish"),
    "PLY5102": (
        "the namespace is bound to no registry",
        "polyphony registry add URL --log-key VKEY --namespace NS",
    ),
    "PLY5201": ("the checkpoint is no signed note", _MIRROR),
    "PLY5202": (
        "the checkpoint is of another log, or not signed by the bound log key",
        "compare the log key with its owner's",
    ),
    "PLY5203": ("too few witnesses cosigned the checkpoint", _MIRROR),
    "PLY5204": ("the checkpoint is too old", "try another mirror, or check this machine's clock"),
    "PLY5205": ("the log is smaller than what was seen before (rollback)", _MIRROR),
    "PLY5206": (
        "the log does not contain what was seen before (fork)",
        "keep the evidence file and show it to others",
    ),
    "PLY5207": ("the checkpoint is from the future", "check this machine's clock"),
    "PLY5301": ("the keyed map is not the last leaf of the log", _MIRROR),
    "PLY5302": ("the records of the name are not its complete history", _MIRROR),
    "PLY5303": ("the version is not in the log", "polyphony info NAME lists the versions"),
    "PLY5304": ("the log breaks its own rules for this name", _MIRROR),
    "PLY5305": ("the version was yanked", "choose another version; a lock that has it may keep it"),
    "PLY5306": ("the version is quarantined", "choose another version"),
    "PLY5309": ("the signer was not authorised, or an unbroken chain to it is missing", _PUBLISHER),
    "PLY5401": ("the bundle is not the logged one", _MIRROR),
    "PLY5402": ("the bundle breaks the format", _PUBLISHER),
    "PLY5403": ("the bundle is signed by a key that is not authorised", _PUBLISHER),
    "PLY5404": ("the signature is not valid", _PUBLISHER),
    "PLY5501": ("the payload is no publish statement", _PUBLISHER),
    "PLY5502": ("the statement is about another tree", _PUBLISHER),
    "PLY5503": ("the statement and the record differ", _PUBLISHER),
    "PLY5504": ("the statement names another publisher than who signed", _PUBLISHER),
    "PLY5601": ("the publisher is not one the policy allows", "change the policy if you trust it"),
    "PLY5602": (
        "the signer changed without the locked one's word",
        "polyphony update NAME --accept-signer, when the publisher confirms it",
    ),
    "PLY5603": ("the version is too young", "wait, or pass --minimum-age and say why"),
    "PLY5604": (
        "the version asks for more than was accepted",
        "look at it, then --accept-permissions DIGEST",
    ),
    "PLY5701": ("the content passes a limit", _PUBLISHER),
    "PLY5702": ("the content is not the signed tree", _MIRROR),
    "PLY5703": ("the tree holds what no package may", _PUBLISHER),
    "PLY5704": ("the manifest is not the signed one, or names another package", _PUBLISHER),
    "PLY5705": ("the git commit is another one or holds another tree", _MIRROR),
    "PLY5706": ("the permissions in the tree are not the signed ones", _PUBLISHER),
}


def refusal(
    code: str, message: str, *, hint: str = "", details: Mapping[str, object] | None = None
) -> TrustError:
    """Build the error of one check; its step and its hint come from the code."""
    return TrustError(code, message, step=int(code[4]), hint=hint or CODES[code][1], details=details)


def age_text(seconds: int) -> str:
    """A time span for people, never negative.

    >>> age_text(259_255)
    '3d55s'
    """
    return format_duration(1000 * max(0, seconds))


@contextmanager
def refusing(code: str, before: str = "") -> Iterator[None]:
    """Turn a broken format inside the block into the refusal ``code``."""
    try:
        yield
    except FormatError as error:
        raise refusal(code, before + error.message, details=error.details) from None
