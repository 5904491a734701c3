"""For how long the store keeps lists of ids that requests brought. Imports no database library."""

DAY = 86_400.0
"""In seconds."""

LEAST_DAYS = 1 / 24
"""The fewest days, an hour: a decision may be stored so much later than it is made, by the clock of whoever made it."""
