"""Renders templates. Pure: sources and data in, content out.

Templates and data are hostile input. The language bounds most of what a template can do, but not all: a sort in a loop is few
steps and much time, a list times a number is one step and gigabytes, and deeply nested MJML ends the process. So these modules
run in a process of their own, with bounds of the operating system (adapters/rendering).
"""
