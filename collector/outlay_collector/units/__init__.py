"""What one unit of a business costs: a request, a user, a customer, a successful outcome."""
