"""Learning on from what a served policy heard back, in rounds, with a gate."""
