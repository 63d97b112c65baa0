"""One figure per module; each takes frames and gives back a matplotlib figure."""
