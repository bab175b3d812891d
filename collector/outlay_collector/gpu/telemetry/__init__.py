"""Telemetry into the database, and targets that are scraped."""
