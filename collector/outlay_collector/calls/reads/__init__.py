"""Single calls and whole traces, as they are in force."""
