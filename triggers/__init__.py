"""The retraining service: every reason to retrain enters by one door, is kept, is decided by one table, and starts at most one run."""
