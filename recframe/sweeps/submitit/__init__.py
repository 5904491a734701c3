"""`hydra/launcher=submitit_slurm` and `submitit_local`: the jobs of a sweep in a SLURM queue, or in processes of this machine."""
