"""Incidents: alarms with one cause, from the first of them until nothing is wrong any more (docs/incidents.md)."""
