"""`./dev bench rehearsal`: what a rehearsal says of a bought list, beside what then happens in the simulated world."""
