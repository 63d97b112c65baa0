"""Tables of arrays that hold the whole state of a city, and the levers that policies move."""
