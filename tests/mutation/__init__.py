"""Mutation tests of the rules: small changes of one module, of which its tests must notice each."""
