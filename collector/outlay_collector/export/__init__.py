"""What was spent, as files that other people's tools read."""
