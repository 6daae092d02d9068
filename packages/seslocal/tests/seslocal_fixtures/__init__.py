"""Shared test code: a server in a thread, request signing, an HTTP receiver, and keys."""
