"""TF-IDF vectors."""
