"""One short script per condition, each run as it stands on its page."""
