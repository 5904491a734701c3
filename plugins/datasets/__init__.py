"""The built-in datasets: a generated world, and ratings in the layouts of MovieLens."""
