"""The Hydra configs, packaged as `recframe.conf`."""
