"""How gunicorn serves the store. Address, workers and threads come from the command line."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1

worker_class = "gthread"
preload_app = True
# Longer than the proxy keeps an idle connection, so that it is the proxy who closes first:
# a request sent into a connection that is just being closed would fail.
keepalive = 75
timeout = 60
# A request here takes well under a second; idle kept connections are not worth more waiting.
graceful_timeout = 1
loglevel = "warning"
accesslog = None
errorlog = "-"
# Known from gunicorn 25 on; it would write a socket into the user's home.
control_socket_disable = True


def post_fork(server, worker):
    """Tie a worker's life to its master's, where the kernel can (Linux).

    gunicorn's workers notice a killed master by themselves, but serve on for some seconds
    and hold the port against a new store.
    """
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    # 1. forked, 2. the master is killed, 3. the line above: no signal would come any more.
    if os.getppid() != worker.ppid:
        os._exit(1)
