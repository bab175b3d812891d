"""What was spent in a period, told on one page: for a terminal, a browser, a picture or a webhook."""
