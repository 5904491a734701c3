"""The settings of launchers and sweepers that any file may decide: numbers, and names that a queue or a sampler looks up.

All others may run code: lines of a shell (`setup` of submitit), options of another program, packages and functions that a cluster runs
before each job (`runtime_env` of Ray), folders in which pickled jobs wait. So those are listed that do not, and not those that do.
"""

from __future__ import annotations

from dataclasses import fields

from recframe.config.schema.search import OptunaSweeperConfig

_JOBLIB = "n_jobs backend prefer require verbose timeout batch_size max_nbytes mmap_mode"
_SUBMITIT = (
    "timeout_min cpus_per_task gpus_per_node tasks_per_node mem_gb nodes stderr_to_stdout partition qos comment constraint exclude gres "
    "cpus_per_gpu gpus_per_task mem_per_gpu mem_per_cpu account signal_delay_s max_num_timeout array_parallelism"
)
_RAY = "max_jobs"
_RAY_INIT = "num_cpus num_gpus logging_level object_store_memory"
_RAY_REMOTE = "num_cpus num_gpus max_retries max_calls memory scheduling_strategy"

RAY_ADDRESS = "ray.init.address"
RAY_ADDRESSES = (None, "auto", "local")
"""Those of this machine. Any other cluster is sent the jobs, and sends back what is unpickled here."""

PLAIN = {
    "launcher": {
        *f"{_JOBLIB} {_SUBMITIT} {_RAY}".split(),
        *(f"ray.init.{name}" for name in _RAY_INIT.split()),
        *(f"ray.remote.{name}" for name in _RAY_REMOTE.split()),
    },
    "sweeper": {"max_batch_size", *(field.name for field in fields(OptunaSweeperConfig))} - {"_target_"},
}
"""The settings of each section by their keys."""
