"""The benchmark: what to run, the folder that remembers it, the processes, and what came of them."""
