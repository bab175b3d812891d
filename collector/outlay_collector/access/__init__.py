"""Who may do what: projects, keys and their scopes."""
