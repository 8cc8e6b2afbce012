"""What `make manifests` holds the manifests to: `table.RULES` is the list."""
