"""DATA PLANE: the one way out. Boring on purpose: accept, resolve, decide, queue, send, record."""
