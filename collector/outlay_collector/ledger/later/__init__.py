"""Sums that are made once an hour or a day is over: by one dimension of many values, and by model over all projects."""
