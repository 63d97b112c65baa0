"""The city as a Mesa model: its phases in order, and its agents' Mesa face."""
