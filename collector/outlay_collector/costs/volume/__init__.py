"""Contracts whose rate falls with what is used in a month."""
