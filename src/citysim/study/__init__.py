"""Scenarios by seeds: design, execution, storage."""
