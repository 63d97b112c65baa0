"""What is measured: one measure per file, registered by name."""
