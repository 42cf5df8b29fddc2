"""The compiled graph: what the Conductor runs, what validation checks, what pictures draw."""
