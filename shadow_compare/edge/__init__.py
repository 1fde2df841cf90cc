"""The comparer's outside: the spool, the other side, metrics, the process."""
