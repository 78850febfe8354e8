"""Entry-point module of cg-predict in the group ``cg``; it imports nothing heavy."""
