"""Users whom a language model plays."""
