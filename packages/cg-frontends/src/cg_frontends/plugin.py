"""Entry-point module of cg-frontends in the group ``cg``; it imports nothing heavy."""
