# Settings of the arm64 example: 2 Graviton machines, each with one container of 2 workers.
APP_NAME = "Arm64"
LOG_GROUP_NAME = APP_NAME

# The image made from this folder's Dockerfile; README.md says how.
DOCKERHUB_TAG = "user/distributed-arm64:1.0"

# Your account.
AWS_REGION = "us-east-1"
AWS_PROFILE = "default"
SSH_KEY_NAME = ""
AWS_BUCKET = "your-bucket-name"

# Machines.
ECS_CLUSTER = APP_NAME  # a cluster of its own, removed with the run
CLUSTER_MACHINES = 2
TASKS_PER_MACHINE = 1
MACHINE_TYPE = ["m7g.large", "m6g.large"]
MACHINE_PRICE = 0.10  # US dollars an hour, at most
EBS_VOL_SIZE = 30  # GiB

# Containers.
DOCKER_CORES = 2  # workers in a container
CPU_SHARES = DOCKER_CORES * 1024
MEMORY = 6000  # MB
SECONDS_TO_START = 0

# Queue.
SQS_QUEUE_NAME = APP_NAME + "Queue"
SQS_MESSAGE_VISIBILITY = 60  # seconds
SQS_DEAD_LETTER_QUEUE = APP_NAME + "_DeadMessages"
JOB_RETRIES = 3
