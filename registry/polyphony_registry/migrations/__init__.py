"""Schema changes of the database, in order (Alembic). ``upgrade`` brings a database up to date."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from polyphony_registry.database import Database

# The newest revision, compared with the scripts by a test: an up-to-date database needs no Alembic at all.
NEWEST = "0001"


def upgrade(database: Database) -> None:
    """Apply what is missing, under the write lock; a database that is up to date is left alone."""
    if _revision(database) == NEWEST:
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with database.engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.scalar(text("select version_num from alembic_version"))
        return None if found is None else str(found)
