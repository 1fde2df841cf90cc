"""The use cases: compare one frame, and round after round a whole spool."""
