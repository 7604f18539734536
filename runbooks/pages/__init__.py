"""Pages whose commands are run: read, run in order, compared with what they show."""
