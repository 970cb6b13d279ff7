"""Play the machines of the simulated account: their agents, tasks and workers."""
