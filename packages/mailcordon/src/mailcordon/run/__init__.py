"""Supervision on one machine: `up`, which starts the processes and keeps them running, and `down`, `migrate` and `doctor`.

A role is a process, `python -m mailcordon run ROLE`, or forked from `starter` (decision 117); nothing here imports `app/`.
"""
