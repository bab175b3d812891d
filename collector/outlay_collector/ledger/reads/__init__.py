"""Questions about what was spent, answered from rollups where they can and from rows where they must."""
