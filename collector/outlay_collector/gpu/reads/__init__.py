"""Questions about pools: how busy, what a token costs, what lies idle, whether it pays."""
