"""Failures of an export."""


class CommandError(Exception):
    """A failure with an exit code and a message of one line."""

    exit_code = 1


class UsageError(CommandError):
    exit_code = 2


class ExportError(CommandError):
    """The model cannot be exported exactly."""

    exit_code = 4


class StorageError(CommandError):
    exit_code = 6


class UnknownAttentionError(Exception):
    """The architecture does not accept a custom attention function."""
