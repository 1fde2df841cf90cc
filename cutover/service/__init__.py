"""Use cases: plan and apply, roll back, tell the state of things."""
