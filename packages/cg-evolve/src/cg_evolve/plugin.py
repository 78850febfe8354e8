"""Entry-point module of cg-evolve in the group ``cg``; it imports nothing heavy."""
