"""Watch a run: what one step sees and does, in the monitor and in the Lambda."""
