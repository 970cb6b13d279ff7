"""Read fleet files: their form, their shapes, and the launch templates that they name."""
