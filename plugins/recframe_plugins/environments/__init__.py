"""Simulated users to train and evaluate policies on."""
