"""What all language-model encoders share, and sentence-transformers."""
