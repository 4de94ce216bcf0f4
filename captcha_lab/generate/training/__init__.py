"""The training loop: players, steps, schedules, runs."""
