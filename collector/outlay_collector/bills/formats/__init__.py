"""Bills as files: which kind a file is, and its lines. Every error names line, column and value."""
