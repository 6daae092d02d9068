"""How somebody becomes a visitor: sign-in, sessions, sign-out."""
