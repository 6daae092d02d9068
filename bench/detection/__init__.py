"""`./dev bench detect`: judges the breaker in a simulated world where the truth is known (docs/bench.md)."""
