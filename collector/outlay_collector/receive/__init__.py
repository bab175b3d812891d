"""Telemetry in: bytes become spans, spans become committed rows, and only then is the sender told so."""
