"""The dataset movielens_format: ratings in the file layouts of MovieLens."""
