"""The nouns of Mailcordon: frozen values and pure functions that every plane speaks in. No I/O, standard library only."""
