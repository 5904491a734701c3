"""Language policy: a causal language model that writes the codes of items, and so recommends them."""
