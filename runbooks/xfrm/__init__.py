"""XFRM: the kernel's states and policies, its counters, and the keys behind them."""
