"""Rollouts: a lane's mail moves from the shared path to its own by shares, with gates and a way back. Pure.

`nouns` are the facts and the answers, `evidence` the statistics of two paths, `gates` judges what was counted, `checklist` what
must hold before more mail moves, and `course` decides the next share. All of it takes facts and time and returns values, so the
loop, a dry run, a rehearsal and the benches decide the same.
"""
