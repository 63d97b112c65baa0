"""Published field trials, re-run inside the simulation with the published design."""
