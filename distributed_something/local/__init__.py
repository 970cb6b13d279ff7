"""A simulated AWS and its machines, for laptops and tests."""
