"""The forms that jobs are written in, and the slips that people make in them."""
