"""Why an item was recommended."""
