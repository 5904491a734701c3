"""TF-IDF with latent semantic analysis."""
