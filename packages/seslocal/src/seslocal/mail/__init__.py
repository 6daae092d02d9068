"""Mail, from the call that sends it to its last event: its content, the checks, what happens to it."""
