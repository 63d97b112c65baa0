"""Parameters with unit and source, composition by Hydra, validation with clear messages."""
