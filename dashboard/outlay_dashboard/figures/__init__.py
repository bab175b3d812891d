"""Figures: values in, Plotly figure out. No page, no network, no clock."""
