"""People who logged in at an OpenID provider: whose token it is, and what their groups let them do."""
