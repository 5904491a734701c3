"""The dataset synthetic: the generated default dataset."""
