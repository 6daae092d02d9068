"""A local SES that behaves like SES: tenants, suppression, events, quotas and faults over SES's own wire
protocol, with the queues its events arrive in. It imports nothing of mailcordon and is useful alone."""

from seslocal.clock import Clock
from seslocal.server import Local, running, start
from seslocal.state import Settings

__all__ = ["Clock", "Local", "Settings", "running", "start"]
