"""The house rules as tests: imports, tree, packaging, wording."""
