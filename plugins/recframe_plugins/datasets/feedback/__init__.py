"""The dataset feedback: decisions of served policies and what came of them, from a store of feedback."""
