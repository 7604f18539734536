"""Replace the IPsec key of a cluster, one provable step after the other."""
