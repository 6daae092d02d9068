"""The data plane: accept, resolve, queue, send, record. All mail leaves through it."""
