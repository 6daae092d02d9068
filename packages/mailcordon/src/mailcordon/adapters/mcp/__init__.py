"""Mailcordon for assistants, over the Model Context Protocol: tools that read, and actions that a person confirms."""
