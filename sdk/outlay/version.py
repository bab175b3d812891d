"""The version of this package, also the version of the instrumentation scope on the wire."""

__version__ = "0.1.0"
