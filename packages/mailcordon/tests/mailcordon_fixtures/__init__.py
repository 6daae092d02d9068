"""What the tests share: running systems, and a queue with mail in it."""
