"""The ``lsa`` command: one module a subcommand, each with ``add_arguments`` and ``run``.

Modules here import only the standard library when they are loaded, so that ``--help`` answers at once; ``run`` imports
the engine.
"""
