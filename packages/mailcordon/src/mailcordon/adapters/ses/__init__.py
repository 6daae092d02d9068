"""What we say to Amazon over HTTP, and what it tells us back: signed calls out, event documents in."""
