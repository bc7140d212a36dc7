"""Who waits in a queue, in which order, for how long; and what they are told of it."""
