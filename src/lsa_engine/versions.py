"""The versions that a result was made with."""

from __future__ import annotations

from importlib.metadata import version


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of the engine, of numpy, and of what else was computed with.

    Parameters
    ----------
    *packages : str
        Names of installed distributions, as "scikit-image".
    """
    import lsa_engine

    return {"lsa_engine": lsa_engine.__version__, **{name: version(name) for name in (*packages, "numpy")}}
