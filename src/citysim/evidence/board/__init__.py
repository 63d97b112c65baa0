"""The evidence board: facts and virtual trials together, misses first."""
