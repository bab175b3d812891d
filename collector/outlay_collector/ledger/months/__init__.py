"""Months that are closed: their booked figures stand, and what is learnt later is booked in the month that is open."""
