"""What a stranger could hand to `rum`: it is read or refused, and does nothing else."""
