"""A discrete-event simulation of a queue and a fleet that scales: loads, the fleet, and rules that compete."""
