"""The collector: telemetry in, priced facts in Postgres, questions answered."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("outlay-server")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0"
