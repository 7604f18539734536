"""The rotation playbook, run through ansible-runner for people and schedulers."""
