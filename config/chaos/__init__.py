"""Real processes under real faults: `manage.py chaos` starts the site in a folder of its own, and this breaks it.

Dice decide which process is killed or frozen when; what then happens is decided by the machine. So a seed gives the
same faults in the same order, not the same run: what must be found again is found by the simulator, on a made-up clock.
"""
