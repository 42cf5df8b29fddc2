"""The settings of one registry: one frozen object, read once at the entry point.

``registry.json`` in the data folder holds ``origin`` and ``url`` (written by ``registry init``); everything else
has a default that an operator may set there too. Unknown keys are refused.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from polyphony_registry.errors import SetupError

CONFIG_NAME = "registry.json"


class Settings(BaseModel):
    """Everything the server may be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(description="the data folder; everything lives under it")
    origin: str = Field(description="the registry's identity, as in statements and locks; never an address")
    url: str = Field(
        default="http://127.0.0.1:8440", description="where users reach it; shown in commands to copy"
    )
    workers: int = Field(default=2, ge=1, le=64, description="server processes")
    threads: int = Field(default=8, ge=1, le=256, description="threads of each process")
    git_slots: int = Field(default=4, ge=1, le=64, description="git programs at once in each process")
    git_wait: float = Field(default=10.0, gt=0, description="seconds a git request waits for a slot")
    git_memory: int = Field(default=512 << 20, description="address space of one git program, bytes")
    git_cpu: int = Field(default=60, description="CPU seconds of one git program")
    pack_limit: int = Field(default=32 << 20, description="largest pack a push may send, bytes")
    object_limit: int = Field(default=20_000, description="most objects a push may send")
    inflated_limit: int = Field(default=64 << 20, description="largest sum of a push's objects, bytes")
    blob_limit: int = Field(default=8 << 20, description="largest file, bytes")
    staging_hours: int = Field(default=24, description="how long a staged commit waits for its publish")
    freshness: int = Field(default=3600, description="seconds after which the log signs a fresh map record")
    upkeep: float = Field(default=30.0, gt=0, description="seconds between two rounds of upkeep")

    def at(self, host: str, port: int) -> Settings:
        """The settings with the address that is listened on, unless the operator gave one for users."""
        if "url" in self.model_fields_set:
            return self
        return self.model_copy(update={"url": address_of(host, port)})

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data / "registry.sqlite"

    @property
    def log_origin(self) -> str:
        """The origin line of the public log's checkpoints."""
        return f"{self.origin}/log"

    @property
    def log_key(self) -> Path:
        """The log's private key, PKCS#8 PEM."""
        return self.data / "keys" / "log.pem"

    @property
    def repositories(self) -> Path:
        """Root of the bare repositories, ``OWNER/NAME.git`` below it."""
        return self.data / "git"

    @property
    def hooks(self) -> Path:
        """The one hooks folder of every repository."""
        return self.data / "hooks"

    @property
    def spool(self) -> Path:
        """Folder of requests and answers under way; emptied at the start."""
        return self.data / "spool"

    @property
    def published(self) -> Path:
        """Root of the files that clients read."""
        return self.data / "published"

    @property
    def search_index(self) -> Path:
        """Folder of the search index."""
        return self.data / "search"

    @classmethod
    def load(cls, data: Path) -> Settings:
        """Read ``registry.json`` of a data folder.

        Raises SetupError (PLY4006) when the folder holds no registry or its file is not understood.
        """
        path = data / CONFIG_NAME
        try:
            stored = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise SetupError(
                "PLY4006",
                f"{str(data)!r} holds no registry (no {CONFIG_NAME})",
                hint="make one: polyphony registry init --origin ORIGIN --owner NAME --namespace NS --data DIR",
            ) from None
        except ValueError as error:
            raise SetupError(
                "PLY4006", f"{str(path)!r} is not JSON: {error}", hint="restore it from a backup"
            ) from None
        try:
            return cls.model_validate({**stored, "data": data.resolve()})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise SetupError(
                "PLY4006",
                f"{str(path)!r}: {place}: {first['msg']}",
                hint="docs/registry.md lists the settings",
            ) from None

    def save(self) -> None:
        """Write ``registry.json``: only what differs from the defaults."""
        document = self.model_dump(mode="json", exclude={"data"}, exclude_defaults=True)
        (self.data / CONFIG_NAME).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def address_of(host: str, port: int) -> str:
    """The URL of what is listened on."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
