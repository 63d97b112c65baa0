"""Pure compiled functions over arrays: no objects, no globals, no configuration."""
