"""Use cases over any legacy store: so far, the backfill of a catalogue."""
