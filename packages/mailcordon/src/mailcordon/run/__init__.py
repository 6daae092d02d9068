"""Supervision on one machine: `up`, which starts the processes and keeps them running, and `down`, `migrate` and `doctor`.

A role is started as a process, `python -m mailcordon run ROLE`; nothing here imports `app/`.
"""
