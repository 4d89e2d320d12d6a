"""Tasks: from a configuration and a seed to tables of tokens."""
