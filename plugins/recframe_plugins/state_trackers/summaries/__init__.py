"""A state tracker that knows what a person has liked in a sentence, which a language model writes."""
