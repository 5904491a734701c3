"""The dataset synthetic_ratings: a complete matrix of ratings, generated from tastes of low rank."""
