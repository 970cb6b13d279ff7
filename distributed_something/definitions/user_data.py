"""What a machine runs as it boots: it tells the ECS agent its settings and downloads nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..inputs.settings import Settings

# A machine's ECS attribute that says whose containers it takes.
APP_ATTRIBUTE = "distributed-something.app"

# Every container sees the GPUs, so that several can share one; the agent starts after this.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-gpu.html
_GPU_LINES = r"""
if ! grep -q -- '--default-runtime' /etc/sysconfig/docker; then
  sed -i 's/^OPTIONS="/OPTIONS="--default-runtime nvidia /' /etc/sysconfig/docker
  systemctl restart docker --no-block
fi
"""


# A machine whose agent has no cluster after 45 minutes never gets one: it ends itself though no
# monitor runs, for its template says that a shutdown terminates it.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-introspection.html
_NEVER_JOINED = r"""
cat > /usr/local/bin/end-unless-joined <<'EOF'
#!/bin/bash
curl -s --max-time 10 http://localhost:51678/v1/metadata |
  grep -q '"ContainerInstanceArn": *"arn:' || shutdown -h now
EOF
chmod +x /usr/local/bin/end-unless-joined
systemd-run --on-active=45min /usr/local/bin/end-unless-joined || true
"""


def ecs_config(settings: Settings) -> str:
    """The lines of /etc/ecs/ecs.config."""
    lines = {
        "ECS_CLUSTER": settings.ecs_cluster,
        "ECS_AVAILABLE_LOGGING_DRIVERS": json.dumps(["json-file", "awslogs"]),
        "ECS_INSTANCE_ATTRIBUTES": json.dumps({APP_ATTRIBUTE: settings.app_name}),
        # A spot notice stops the containers in time instead of cutting them off.
        "ECS_ENABLE_SPOT_INSTANCE_DRAINING": "true",
        "ECS_ENABLE_TASK_IAM_ROLE": "true",
        # Where ECS fetches secrets with a role of its own, lines are written with it too.
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html
        "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE": "true",
        # A container that starts again finds its image on the machine.
        "ECS_IMAGE_PULL_BEHAVIOR": "prefer-cached",
        # A container that was killed leaves its jobs' files and its inputs on the disk that the
        # next one needs. The agent's own wait is three hours, and a minute the least it takes.
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/automated_image_cleanup.html
        "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION": "1m",
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def user_data(settings: Settings, *, gpu: bool = False) -> str:
    """The script in plain text; EC2 wants it in base64."""
    config = f"cat >> /etc/ecs/ecs.config <<'EOF'\n{ecs_config(settings)}EOF\n"
    return f"#!/bin/bash\n{config}{_NEVER_JOINED}{_GPU_LINES if gpu else ''}"
