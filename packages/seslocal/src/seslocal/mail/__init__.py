"""A mail from the call that brings it to its last event: what it holds, who may send it, what becomes of it."""
