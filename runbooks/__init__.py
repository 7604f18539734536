"""Executable runbooks for Cilium IPsec: find stale XFRM states, rotate safely."""
