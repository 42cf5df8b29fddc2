"""Alembic's entry: runs on the connection that ``upgrade`` hands over."""

from __future__ import annotations

from alembic import context

from polyphony_registry.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
context.run_migrations()
