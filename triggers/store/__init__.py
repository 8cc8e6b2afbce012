"""The durable store: events and runs in SQLite or PostgreSQL, committed before anybody is told that they were taken."""
