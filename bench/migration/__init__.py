"""`./dev bench migration` and `./dev bench moves`: what a move from a shared path to isolated ones costs whom, and how good
its gates are."""
