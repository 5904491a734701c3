"""The dataset sequences: one line a user, with their items in order."""
