"""Machines and containers: EC2, spot fleets, prices, networks, ECS, image registries."""
