"""Fleets of tenants that send for days into a world: scenario files, the player, its tables and its picture."""
