"""The store of what a served policy decided, and of what came back."""
