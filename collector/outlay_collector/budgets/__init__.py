"""Budgets: how much may be spent on what in which time, who is told when, and how it is likely to end."""
