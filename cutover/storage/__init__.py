"""The applied state as files: the table in force, the ledger, whose turn it is."""
