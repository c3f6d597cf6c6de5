"""The load generator: how many sign-ins and tokens the provider gives on this machine.

``python -m bench`` starts the provider on databases of its own, loads it over HTTP from
this one process, and prints what it did beside what the machine could do at the most.
"""
