"""Decides: stages, gates, plan and apply, the control room, the `banyan` command."""
