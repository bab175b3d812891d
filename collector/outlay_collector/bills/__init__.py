"""What providers billed, beside what was traced: imported or pulled, compared, and the difference named and booked."""
