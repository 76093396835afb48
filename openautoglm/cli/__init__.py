"""The command line: recipes and overrides to built objects; the only room that imports Hydra."""
