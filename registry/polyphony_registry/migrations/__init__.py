"""Schema changes of the database, in order (Alembic). ``upgrade`` brings a database up to date."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from polyphony_registry.database import Database


def upgrade(database: Database) -> None:
    """Apply what is missing, under the write lock; a database that is up to date is left alone."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with database.engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
