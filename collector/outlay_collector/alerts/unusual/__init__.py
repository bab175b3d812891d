"""Unusual spend: more than its habit by an amount that matters, with the cause; and runaways within minutes."""
