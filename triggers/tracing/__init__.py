"""From any id to everything it is tied to: the graph, where it is read from, how ids are told apart, and its text."""
