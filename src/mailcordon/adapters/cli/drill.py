"""Placeholder."""

import typer

top = typer.Typer()
