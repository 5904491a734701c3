"""The dataset rating_matrix: a rating of every item by every user."""
