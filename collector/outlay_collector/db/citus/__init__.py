"""More than one machine: Postgres with the extension Citus."""
