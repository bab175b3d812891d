"""Parts of statements that book differences of closed months."""

from __future__ import annotations

from outlay_collector.db.names import ALLOCATION_DIMENSIONS

# Now, or, by a clock that is behind, the first instant after all closed months.
OPEN = "(SELECT greatest(now(), max(ends)) FROM closed_month)"

# Dimensions of a row of ``call`` that stand on its lines.
_NAMED = ", ".join(f"'{name}', call.{name}" for name in (*ALLOCATION_DIMENSIONS, "customer"))
DIMENSIONS = f"jsonb_build_object({_NAMED})"
