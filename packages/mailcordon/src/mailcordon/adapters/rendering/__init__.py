"""Renders templates in a process of their own, with bounds of the operating system on time and memory."""
