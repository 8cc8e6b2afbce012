"""The retraining service. Of ours it imports only `pedalflow`."""
