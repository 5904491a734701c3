"""The generated default dataset."""
