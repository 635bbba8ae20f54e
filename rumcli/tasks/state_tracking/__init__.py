"""State tracking: automata and word problems of groups."""
