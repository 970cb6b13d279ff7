"""What the toolkit and the worker must agree on byte for byte; standard library only.

The worker's image carries a copy of this package and of `errors`: it may import nothing else.
"""

# Raised whenever a message, a ledger key or an environment variable changes its meaning.
PROTOCOL_VERSION = "2"

# The image label by which `setup` knows a worker image from one that holds another worker.
IMAGE_LABEL = "distributed-something.protocol"
