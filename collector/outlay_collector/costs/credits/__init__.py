"""Prepaid credits: bought at once, drawn down by use, gone when they expire."""
