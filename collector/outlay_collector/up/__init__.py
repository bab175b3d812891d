"""``outlay up``: database, collector, worker and dashboard on one machine, started, watched and stopped together."""
