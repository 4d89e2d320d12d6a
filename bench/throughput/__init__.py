"""End-to-end speed of training against a loop that trains one model at a time."""
