"""`scripts/bench sockets …`: many sockets on real `hub serve` workers over real stores, with our own load generator."""
