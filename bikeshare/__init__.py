"""The use case, and the only room that knows bikes: hourly bike rentals in Washington, D.C., 2011 and 2012 (UCI data set 275)."""
