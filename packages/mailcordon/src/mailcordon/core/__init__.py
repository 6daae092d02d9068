"""Values and pure functions that all planes share. No I/O, standard library only."""
