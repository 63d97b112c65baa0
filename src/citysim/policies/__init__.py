"""Policies as data: what, where, when and how much; targeting and delivery."""
