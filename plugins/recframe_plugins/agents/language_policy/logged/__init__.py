"""Rules by which a language policy learns from a log."""
