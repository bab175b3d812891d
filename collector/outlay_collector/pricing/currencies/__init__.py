"""Exchange rates: dated, with a source, and never guessed."""
