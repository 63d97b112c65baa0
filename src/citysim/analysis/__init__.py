"""Paired contrasts between scenarios."""
