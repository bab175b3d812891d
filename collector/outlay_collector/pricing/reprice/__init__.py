"""Calls of the past under the prices of today: looked at first, applied on demand, and undone if that was wrong."""
