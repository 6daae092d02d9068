"""The benchmarks behind `./dev bench`: they start what they measure, and count only what was really done."""
