"""What the tests share: a server in a thread, a client that signs by itself, a receiver, and keys."""
