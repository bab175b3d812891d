"""Watching ourselves: what is said when figures stop being right, current or told."""
