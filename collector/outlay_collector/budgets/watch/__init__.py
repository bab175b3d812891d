"""Watching budgets: their sums follow what was spent, and who is to be told is told once."""
