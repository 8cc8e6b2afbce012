"""What the notebooks call: figures, pictures and tables of data, models, lineage and drift, so that cells hold no logic."""
