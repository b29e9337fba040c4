"""Errors as napari notifications, and the last of them for a report."""

from __future__ import annotations

from typing import Any

from napari.utils.notifications import ErrorNotification, notification_manager

_last: list[BaseException] = []


def notify_error(error: Exception) -> None:
    """Show an error as a napari notification: its sentence, and its traceback behind a button.

    Parameters
    ----------
    error : Exception
        What was raised.
    """
    notification_manager.receive_error(type(error), error, error.__traceback__)


def remember_errors() -> None:
    """Keep the last error that napari shows, whoever raised it, for :func:`last_error`."""
    if _remember not in notification_manager.notification_ready.callbacks:
        notification_manager.notification_ready.connect(_remember)


def last_error() -> BaseException | None:
    """Return the error that was shown last since :func:`remember_errors`, or None."""
    return _last[0] if _last else None


def _remember(notification: Any) -> None:
    if isinstance(notification, ErrorNotification):
        _last[:] = [notification.exception]
