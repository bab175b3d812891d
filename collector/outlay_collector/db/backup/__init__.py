"""The whole ledger in one file, and back: portable between versions of Postgres, and checked row by row."""
