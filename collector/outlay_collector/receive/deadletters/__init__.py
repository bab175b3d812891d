"""What was refused: read it, mend the cause, and send it again."""
