"""A rollout on a cluster: the canary is a second predictor of a SeldonDeployment, and the object itself remembers how far it is."""
