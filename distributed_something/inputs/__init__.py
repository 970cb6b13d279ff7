"""Read what people write (config, job files, fleet files) and say what is wrong with it."""
