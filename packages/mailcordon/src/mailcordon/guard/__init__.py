"""The guard's rules, pure: policies, limits, warm-up, paced release, the breaker, objectives and back-tests.

Facts and time in, values out. The planes fetch the facts and carry out what these modules decide; benches, back-tests and the
simulated week run the very same code.
"""
