"""What judges served rows: outliers, drift, concept drift, screening, contributions. Fitted by the pipeline, used by serving."""
