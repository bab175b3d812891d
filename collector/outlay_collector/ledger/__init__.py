"""What was spent: lines, sums, and the one place that reads them."""
