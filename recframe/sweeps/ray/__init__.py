"""`hydra/launcher=ray`: the jobs of a sweep on the processors of a Ray cluster, or of this machine."""
