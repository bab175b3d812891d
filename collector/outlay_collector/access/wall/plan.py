"""Which rows each reading role may see, as statements: from the tables that are there, so that a new one is walled by default.

Three roles without a login, taken for one transaction by whoever answers a question (SECURITY.md):

- ``outlay_tenant``: rows of the projects in ``outlay.projects``. Without that setting a statement is an error.
- ``outlay_finance``: all projects, but no prompts, completions or refused payloads.
- ``outlay_reader``: all projects.

A table with ``project_id`` gives a tenant the rows of its projects; one that refers to such a table, the rows that belong to
them; any other gives it nothing, unless it is named in ``SHARED``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from outlay_collector.access.keys import Access

TENANT = "outlay_tenant"
FINANCE = "outlay_finance"
READER = "outlay_reader"
ROLES = (TENANT, FINANCE, READER)

SETTING = "outlay.projects"

POLICY = "outlay_tenant_reads"

SHARED = frozenset(
    {
        "allocation_tag",
        "attribution_version",
        "closed_month",
        "dimension_set",
        "fx_rate",
        "heartbeat",
        "instance_setting",
        "outlay_revision",
        "price_catalogue",
    }
)
"""Of the instance, not of a project: prices, rates, months. ``dimension_set`` holds names that sums are told apart by, each
once for all projects (ADR 8)."""

FOR_ALL_WHEN_NULL = frozenset({"price", "price_discount", "price_model"})
"""Where no project means every project; elsewhere a row without one is nobody's but the operator's."""

SECRET = frozenset({"api_key", "audit"})
"""Read with a key for all projects only, whatever columns they have."""

CONTENT = frozenset({"span_content", "dead_letter"})
"""What people wrote and models answered: not for finance."""

_QUEUE = "procrastinate_"

# Asked for once per statement, not once per row; without the setting, or with an empty one, this is an error.
_MINE = f"ANY ((SELECT current_setting('{SETTING}')::integer[])::integer[])"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table, a partitioned one once for all its partitions; or a view."""

    name: str
    is_view: bool = False
    has_project: bool = False
    parents: Mapping[str, tuple[str, str]]  # column -> (table, its column)
    secured: bool = False  # row-level security is on (of a view: it reads with the rights of who asks)
    policy: str | None = None  # what the policy of ours says, as it was written


def role_of(access: Access) -> str:
    """The role that answers for a key."""
    if access.project_id is not None:
        return TENANT
    return READER if access.allows("read") else FINANCE


def statements(tables: Sequence[Table]) -> Iterator[str]:
    """What brings the wall to these tables; nothing where it stands. Grants can be repeated at any time."""
    walled = {table.name: condition for table in tables if (condition := _condition(table, tables)) is not None}
    for table in tables:
        if table.name.startswith(_QUEUE):
            continue
        if table.is_view and not table.secured:
            yield f'ALTER VIEW "{table.name}" SET (security_invoker = true)'
        condition = walled.get(table.name)
        if condition is not None and not table.secured:
            yield f'ALTER TABLE "{table.name}" ENABLE ROW LEVEL SECURITY'
        if condition is not None and table.policy != condition:
            yield f'DROP POLICY IF EXISTS {POLICY} ON "{table.name}"'
            yield f'DROP POLICY IF EXISTS {POLICY}_all ON "{table.name}"'
            yield f'CREATE POLICY {POLICY} ON "{table.name}" FOR SELECT TO {TENANT} USING ({condition})'
            yield f'CREATE POLICY {POLICY}_all ON "{table.name}" FOR SELECT TO {FINANCE}, {READER} USING (true)'
            escaped = condition.replace("'", "''")
            yield f"COMMENT ON POLICY {POLICY} ON \"{table.name}\" IS '{escaped}'"
        yield f'GRANT SELECT ON "{table.name}" TO {READER}'
        if table.name not in CONTENT | SECRET:
            yield f'GRANT SELECT ON "{table.name}" TO {FINANCE}'
        if condition is not None or table.is_view or table.name in SHARED:
            yield f'GRANT SELECT ON "{table.name}" TO {TENANT}'


def _condition(table: Table, tables: Sequence[Table]) -> str | None:
    """What a row must fulfil for a tenant to see it; None where no row can be said to be a project's."""
    if table.is_view or table.name in SECRET | SHARED:
        return None
    if table.name == "project":
        return f"id = {_MINE}"
    if table.has_project:
        return f"project_id = {_MINE}" + (" OR project_id IS NULL" if table.name in FOR_ALL_WHEN_NULL else "")
    by_name = {other.name: other for other in tables}
    for column, (parent, key) in sorted(table.parents.items()):
        if parent in by_name and parent != table.name and _condition(by_name[parent], tables) is not None:
            return f'EXISTS (SELECT FROM "{parent}" WHERE "{parent}"."{key}" = "{table.name}"."{column}")'
    return None
