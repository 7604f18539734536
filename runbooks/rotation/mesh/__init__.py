"""A rotation of several clusters with one key, for meshes.

Each cluster keeps its own Secret, Lease and record. The key is the same, and the
waits look at the nodes of all clusters at once.
"""
