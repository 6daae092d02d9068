"""The side for people and tests that judge or torment a sender: `/_seslocal`, faults, scenarios."""
