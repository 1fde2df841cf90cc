"""The evidence on disk: SQLite or PostgreSQL, one writer, any number of readers."""
