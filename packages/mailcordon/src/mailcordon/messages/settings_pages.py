"""What the dashboard says of the platform's settings."""

from mailcordon.messages.catalogue import example


@example()
def keys_are() -> str:
    """Above the list of API keys."""
    return "Keys are stored hashed, so nobody can read one again. What a key may do can be taken from it at once."
