"""Tools that analysts have already, put to a warehouse of ours as the manual says."""
