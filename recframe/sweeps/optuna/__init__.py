"""`hydra/sweeper=optuna`: a search of settings with Optuna. Each trial is a run in a folder of its own, or one for each seed."""
