"""Each trial across the ranges of the constants that nearly are its effect."""
