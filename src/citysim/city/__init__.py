"""Streets, squares and districts: readers for real files and a generator."""
