"""A simulated AWS and its machines, for laptops and tests."""

# Names the fleet file of a served account to the verbs of another terminal.
FLEET_VARIABLE = "REHEARSAL_FLEET_FILE"
# How a served account answers who is not its owner.
REFUSED_CODE = "NotTheOwnerOfThisRehearsal"
