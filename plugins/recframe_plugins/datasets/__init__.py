"""The built-in datasets: a generated world, ratings in the layouts of MovieLens, and complete rating matrices."""
