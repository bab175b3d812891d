"""A made-up company whose programs call models: ``company`` and ``stories`` say what it is, ``day`` what it does."""
