"""Telling people: events, the state of alerts, and deliveries that arrive once, provably."""
