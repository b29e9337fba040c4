"""Training (§3, §4.2, §5): recipe, procedural mattes, loss, trainer.

The trainer itself is :func:`lsa_engine.training.trainer.train`. It is not imported here, so that another process can
list recipes and follow a run without loading torch.
"""

from lsa_engine.training.recipe import Recipe, recipe_names
from lsa_engine.training.runs import read_events, request_stop

__all__ = ["Recipe", "read_events", "recipe_names", "request_stop"]
