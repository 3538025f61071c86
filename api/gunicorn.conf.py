"""Gunicorn's settings: `gunicorn --config api/gunicorn.conf.py "api:create_app()"`."""

import os
import resource

# As many files as worker_connections and all else need: 1024 are usual.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_most = 8192 if _hard == resource.RLIM_INFINITY else min(8192, _hard)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(_soft, _most), _hard))

bind = os.environ.get("API_BIND") or "127.0.0.1:8000"
worker_class = "api.worker.Worker"  # threads, for nameko's proxies block
workers = 2
threads = (
    128  # for WAITING requests for each service (api/app.py), for STREAMS (api/events.py), and some for all others
)
worker_connections = 4000  # most of them silent, perhaps: api/worker.py
timeout = 30  # seconds without a sign of life from a worker; requests may take longer
graceful_timeout = 8  # seconds for requests under way after SIGTERM; docker-compose gives 10
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # its heartbeat file needs no disk
control_socket_disable = True  # nobody asks for it, and it would need a writable home


def on_starting(server):
    from messaging import config

    config.load()  # ends the arbiter if a setting is wrong, which would else start workers again and again


def post_worker_init(worker):
    worker.wsgi.extensions["runs"].warm_up()
