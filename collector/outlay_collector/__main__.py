"""``python -m outlay_collector``: the ``outlay`` command where no script was installed."""

from outlay_collector.cli import main

main()
