"""The command line: one thin entry."""
