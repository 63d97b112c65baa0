"""Published evidence and the model: measures, facts, trials, and the board that shows them.

``measures`` are named functions over the crimes of a city, simulated or real; ``facts`` hold
published regularities against them; ``city_year`` makes the baseline year they are taken from.
"""
