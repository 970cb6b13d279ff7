"""From a job file to messages in a queue, and what is checked before they are sent."""
