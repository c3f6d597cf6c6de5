"""`idp certify`: a test school, a provider that can be told to answer wrongly, and a robot.

None of this is part of a server: ``create_app`` knows nothing of it, and a contract in
``pyproject.toml`` keeps it so. The provider that answers wrongly is made here, at an address of
this computer, with a database, keys and secrets of its own that are thrown away with it.
"""
