"""The data plane: accept, decide, forward, capture. It imports nothing else of the house."""
