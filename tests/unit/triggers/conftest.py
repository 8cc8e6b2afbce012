"""What the unit tests of the retraining service share."""

from tests.samples.triggers_fixtures import launcher, store, url, wall

__all__ = ["launcher", "store", "url", "wall"]
