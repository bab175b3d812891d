"""The second wall between projects: row-level security for whoever reads, kept by the database itself."""
