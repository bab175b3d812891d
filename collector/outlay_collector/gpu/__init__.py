"""GPUs and models of one's own: what they do, what their hours cost, and for whom."""
