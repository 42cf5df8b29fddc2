"""Masking granted secrets in everything a node says, in every form in which programs like to print them.

Forms: raw, JSON-escaped (also with ``\\/``, or ``< > &`` as escapes), ``repr``, HTML-escaped, percent-encoded (both ways,
both cases), hexadecimal (both cases), base64 and base64url at their three alignments; of a secret of several lines also
each longer line in these forms, as logs come line by line. One expression, longest form first; a stream holds back one byte less than the longest
form, so a secret that is split over two chunks is still seen. A seat belt: the boundary is the network grant.

>>> Masker({"TOKEN": b"s3cret-value"}).text("the token is s3cret-value, in base64 czNjcmV0LXZhbHVl")
'the token is ***, in base64 ***'
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, quote_plus

from polyphony_schemas.values import JsonValue

MASK = "***"
_LINE = 8  # a shorter line of a longer secret may stand anywhere
_ESCAPE = re.compile(r"%[0-9A-F]{2}")


class Masker:
    """Masks the given secrets; without any it hands everything back as it is."""

    def __init__(self, secrets: Mapping[str, bytes], *, also: Sequence[str] = ()) -> None:
        forms: set[bytes] = set()
        for value in (*secrets.values(), *(text.encode() for text in also)):
            for bare in {value, value.strip(), *_lines(value)}:
                forms.update(form for form in _forms(bare) if len(form) >= 4)
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self.longest = len(ordered[0]) if ordered else 0
        joined = b"|".join(re.escape(form) for form in ordered)
        self._bytes = re.compile(joined) if ordered else None

    def __bool__(self) -> bool:
        return self._bytes is not None

    def data(self, data: bytes) -> bytes:
        """Bytes with every form masked."""
        return self._bytes.sub(MASK.encode(), data) if self._bytes else data

    def text(self, text: str) -> str:
        """Text with every form masked."""
        if self._bytes is None:
            return text
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def value(self, value: JsonValue) -> JsonValue:
        """A JSON value with every string, name and number that holds a form masked."""
        if self._bytes is None or value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [self.value(item) for item in value]
        return MASK if self._bytes.search(repr(value).encode()) else value

    def stream(self) -> MaskedStream:
        """A fresh stream."""
        return MaskedStream(self)

    def spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where forms stand."""
        if self._bytes:
            yield from (match.span() for match in self._bytes.finditer(data))


class MaskedStream:
    """Masks bytes that arrive in chunks."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may go on now; the rest is held until it cannot be the beginning of a secret any more."""
        self._held += chunk
        cut = len(self._held) - max(self._masker.longest - 1, 0)
        if cut <= 0:
            return b""
        for start, end in self._masker.spans(self._held):
            if start < cut < end:
                cut = end
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._masker.data(ready)

    def flush(self) -> bytes:
        """What is left, at the end."""
        ready, self._held = self._held, b""
        return self._masker.data(ready)


def _forms(value: bytes) -> Iterator[bytes]:
    if not value:
        return
    yield value
    yield value.hex().encode()
    yield value.hex().upper().encode()
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield quoted.encode()
        yield _ESCAPE.sub(lambda found: found[0].lower(), quoted).encode()
    for padding in range(3):
        plain = base64.b64encode(bytes(padding) + value)
        first, last = math.ceil(8 * padding / 6), 8 * (padding + len(value)) // 6
        # The middle, which other bytes around the secret leave alone, and the end, for a secret that stands last.
        for form in (plain[first:last], plain[first:], plain[first:].rstrip(b"=")):
            yield form
            yield form.translate(bytes.maketrans(b"+/", b"-_"))
    try:
        text = value.decode()
    except UnicodeDecodeError:
        yield repr(value)[2:-1].encode()
        return
    for escaped in (json.dumps(text), json.dumps(text, ensure_ascii=False), repr(text), repr(value)[1:]):
        yield escaped[1:-1].encode()
    plainly = json.dumps(text)[1:-1]
    yield plainly.replace("/", "\\/").encode()
    yield plainly.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()
    yield html.escape(text).encode()


def _lines(value: bytes) -> set[bytes]:
    """The lines of a secret that are worth masking alone; not the frame of a PEM file, which says nothing."""
    bare = (line.strip() for line in value.splitlines())
    return {line for line in bare if len(line) >= _LINE and not line.startswith(b"-----")}
