"""The dataset recbole_atomic: the atomic files of RecBole."""
