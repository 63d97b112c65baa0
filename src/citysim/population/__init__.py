"""Synthetic residents, households, ties, daily anchors and routes."""
