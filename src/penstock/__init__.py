"""penstock: the gated pipe from data to a model that has earned its place in the registry.

Importing the package costs nothing: every heavy library is imported where it is used.
"""

__version__ = "0.1.0"
