"""MLflow: the only package that speaks with it (and ``serving.py``, which it runs).

``connection`` reaches the server or opens the database, ``runs`` writes what happened,
``package`` turns a trained model into a folder that serves itself, ``registry`` gives it a
version and an alias. One client with explicit run ids, no fluent global state.
"""
