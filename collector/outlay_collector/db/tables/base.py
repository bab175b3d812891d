"""The one metadata that all tables register with; Alembic compares it with the database."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
