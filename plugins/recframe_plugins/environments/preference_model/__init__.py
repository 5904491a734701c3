"""Users simulated from logged ratings."""
