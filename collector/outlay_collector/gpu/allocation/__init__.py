"""Allocation in the database: windows are run, and run again when something came late."""
