"""Parts of `./dev bench guard-scale`."""
