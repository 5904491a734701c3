"""RecSim's three environments."""
