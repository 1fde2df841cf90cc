"""Oscar's words and the core's: pure functions from rows to records, from the core's products
to the answers of oscar's API, and the list of every column with what becomes of it.
"""
