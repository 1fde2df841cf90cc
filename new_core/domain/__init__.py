"""The rules of selling, as values and pure functions; no storage, clock or network in sight."""
