"""Webhooks: whom to tell, how each of them reads it, and deliveries that are tried until they arrive."""
