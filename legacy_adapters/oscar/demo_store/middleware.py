"""Middleware of the store's project."""

from django.db import transaction

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def one_write_at_a_time(get_response):
    """On SQLite, run every unsafe request in one transaction, undone when it ends in a crash.

    Django's ATOMIC_REQUESTS would do it for reads too, and each read would then wait for
    the one write lock. On a server it would hurt: two guests add the same product for the
    first time, both insert its analytics row, and oscar's way out of the collision (catch
    it, then update) is closed inside a transaction: one of them gets a 500.
    """

    def middleware(request):
        if request.method in _SAFE:
            return get_response(request)
        with transaction.atomic():
            response = get_response(request)
            if response.status_code >= 500:
                transaction.set_rollback(True)
            return response

    return middleware
