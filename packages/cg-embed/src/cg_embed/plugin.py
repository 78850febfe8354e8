"""Entry-point module of cg-embed in the group ``cg``; it imports nothing heavy."""
