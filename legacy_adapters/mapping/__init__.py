"""Pure values that every adapter shares: rows, versions, aggregates, canonical bytes."""
