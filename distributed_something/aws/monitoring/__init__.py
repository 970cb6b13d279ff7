"""CloudWatch: alarms, dashboards, logs and their export."""
