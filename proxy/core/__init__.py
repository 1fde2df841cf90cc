"""Pure rules of the data plane: what a frame is, and what must not be seen in one."""

from proxy.core.frame import Frame, Headers
from proxy.core.redaction import OpaqueBodyError, Redactor, is_redacted

__all__ = ["Frame", "Headers", "OpaqueBodyError", "Redactor", "is_redacted"]
