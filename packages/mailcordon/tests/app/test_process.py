"""What a role process sets up before its work."""

import gc

from mailcordon.app import process


def test_the_cycle_collector_runs_again_once_a_role_has_loaded():
    """`python -m mailcordon run` turns it off while modules load."""
    gc.disable()
    try:
        process.freeze_heap()
        assert gc.isenabled()
    finally:
        gc.enable()
