"""A cluster of real kernels on one machine, and the ways in which it breaks."""
