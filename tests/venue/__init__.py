"""An exchange with accounts, over real HTTP on loopback: it takes signed orders as Binance's spot API does.

`with venue_double() as venue:` runs one in this process, `python -m tests.venue --port 0 --state FILE` as a process of
its own that survives being killed. Everything it knows is for tests: no other program speaks to it.
"""
