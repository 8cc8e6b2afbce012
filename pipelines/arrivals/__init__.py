"""How new data comes in: checks, the door, the store of spans, quarantine, and the window that a run trains on."""
