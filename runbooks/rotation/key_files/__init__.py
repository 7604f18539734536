"""Rotating where the nodes get the key as a file, without a Secret.

Three scripts run on the nodes, over whatever connection Ansible has to them.
The key passes through standard input; where it has to leave a node, it is
hidden under a pad that only the reader has. Between two nodes it lives in a
variable of the process that runs Ansible's loop, and nowhere else.
"""
