"""A policy out of its run: a folder of data, with checksums and nothing that is executed."""
