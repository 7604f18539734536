"""What runs inside a node's kernel, beside the lab's agent."""
