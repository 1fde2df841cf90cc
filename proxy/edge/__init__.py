"""HTTP in and out: the data plane's protocols, its workers and their supervisor."""
