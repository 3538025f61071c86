"""Gunicorn's settings: `gunicorn --config api/gunicorn.conf.py "api:create_app()"`."""

import os
import resource
import time
from typing import Any

from messaging.logs import gunicorn_config

# Gunicorn reads this file before it starts the workers. So all workers have the same value of STARTED, even a worker
# that starts later.
STARTED = time.time_ns() // 1000

# The usual limit of open files is 1024. This is not enough for worker_connections, so the limit is raised here.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_most = 8192 if _hard == resource.RLIM_INFINITY else min(8192, _hard)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(_soft, _most), _hard))

bind = os.environ.get("API_BIND") or f"127.0.0.1:{os.environ.get('API_PORT') or 8000}"
worker_class = "api.worker.Worker"  # threads, because nameko's proxies block
workers = 2
# Requests that wait for one service occupy up to WAITING threads (api/runs/dispatch.py). Event streams occupy up to
# STREAMS threads (api/events.py). The other threads serve all other requests.
threads = 128
worker_connections = 4000  # silent connections are cheap, see api/worker.py
timeout = 30  # seconds without a heartbeat until a worker is restarted; a request may take longer
graceful_timeout = 8  # seconds to finish requests after SIGTERM; docker-compose sends SIGKILL after 10
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # the heartbeat file of a worker needs no disk
logconfig_dict = gunicorn_config(os.environ.get("LOG_FORMAT"))
sendfile = False  # it waits without a timeout for a client that does not read
control_socket_disable = True  # nobody uses it, and it would need a writable home


def on_starting(server: Any) -> None:
    from messaging.settings import load

    load()  # a wrong setting must end the arbiter here; otherwise it would start workers again and again


def post_worker_init(worker: Any) -> None:
    worker.wsgi.extensions["resources"].begin(STARTED)
