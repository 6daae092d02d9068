"""The observability plane: what came back, counted once, attributed exactly, never dropped and never guessed."""
