"""Policies as documents: tiers and overrides in, one effective policy for each lane out (docs/policy.md)."""
