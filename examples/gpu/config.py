# Settings of the gpu example: 2 machines with a graphics card each.
APP_NAME = "Gpu"
LOG_GROUP_NAME = APP_NAME

# The image made from this folder's Dockerfile; README.md says how.
DOCKERHUB_TAG = "user/distributed-gpu:1.0"

# Your account.
AWS_REGION = "us-east-1"
AWS_PROFILE = "default"
SSH_KEY_NAME = ""
AWS_BUCKET = "your-bucket-name"

# Machines.
ECS_CLUSTER = APP_NAME  # a cluster of its own, removed with the run
CLUSTER_MACHINES = 2
TASKS_PER_MACHINE = 1
MACHINE_TYPE = ["g4dn.xlarge", "g5.xlarge"]
MACHINE_PRICE = 0.60  # US dollars an hour, at most
EBS_VOL_SIZE = 60  # GiB

# Containers.
DOCKER_CORES = 1  # workers in a container; each job has the whole card
CPU_SHARES = 4096
MEMORY = 14000  # MB
SECONDS_TO_START = 0

# Queue.
SQS_QUEUE_NAME = APP_NAME + "Queue"
SQS_MESSAGE_VISIBILITY = 60  # seconds
SQS_DEAD_LETTER_QUEUE = APP_NAME + "_DeadMessages"
JOB_RETRIES = 3
