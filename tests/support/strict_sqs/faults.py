"""What may go wrong with a call instead of, or before, its answer."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.support.strict_sqs.checks import SQSError

NAMESPACE = "com.amazonaws.sqs#"

HttpAnswer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""

KINDS = frozenset(
    {"500", "503", "throttle", "cut", "cut_after", "garbage", "expired", "denied", "delay"}
) | frozenset({"empty", "null", "odd", "trickle", "flood"})
"""500 and 503: as they come from a load balancer. throttle: RequestThrottled. cut: the connection is closed before
the call takes effect. cut_after: the same, after it took effect: the answer is lost. garbage: a page of some proxy, with status 200. expired,
denied: of credentials. delay: `seconds` before the call, which then goes its way. empty, null, odd: at once, an
answer of nothing, with null for each list, with entries and messages that nobody asked for. trickle: a byte
of an answer each tenth of a second, for as long as the connection is there. flood: an answer without end, as fast as
it is read."""

ODD = json.dumps(
    {
        "Messages": [{"MessageId": 7, "ReceiptHandle": None, "Attributes": []}],
        "Successful": [{"Id": "99"}, {"Id": "-1"}, {}],
        "Failed": [{"Id": "98", "Code": "InternalError"}],
    }
).encode()

TRICKLE: HttpAnswer = (0, {}, b"")
"""Stands for an answer that never ends."""

FLOOD: HttpAnswer = (0, {"Transfer-Encoding": "chunked"}, b"")
"""Stands for an answer that never ends, and comes fast."""

ENTRY_KINDS = frozenset({"entry", "missing"})
"""For batches: the first entry is refused (it comes in Failed with `code`), or comes in neither list. It has no
effect."""


@dataclass
class Fault:
    """The next `times` calls of `action` (None: any)."""

    kind: str
    action: str | None
    times: int
    code: str = ""
    seconds: float = 0.0

    def fits(self, action: str, kinds: frozenset[str]) -> bool:
        return self.kind in kinds and self.action in (None, action)


class Faults:
    """Those that wait for their call, oldest first. Used with the server's lock held."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        if fault.kind not in KINDS | ENTRY_KINDS:
            raise ValueError(f"no such fault: {fault.kind}")
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    @property
    def left(self) -> int:
        """Calls that are still to fail."""
        return sum(fault.times for fault in self._waiting)

    def next(self, action: str, kinds: frozenset[str]) -> Fault | None:
        """The fault of this call, if it has one. It counts as used."""
        for fault in self._waiting:
            if fault.fits(action, kinds):
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None


def answer_of(fault: Fault) -> HttpAnswer | None:
    """The answer instead of the call's own; None: cut the connection."""
    match fault.kind:
        case "cut" | "cut_after":
            return None
        case "garbage":
            return 200, {"Content-Type": "text/html"}, b"<html>not what you asked for</html>"
        case "empty":
            return 200, {}, b"{}"
        case "null":
            return 200, {}, b'{"Messages": null, "Successful": null, "Failed": null}'
        case "odd":
            return 200, {}, ODD
        case "trickle":
            return TRICKLE
        case "flood":
            return FLOOD
        case "throttle":
            return answer_of_error(SQSError("RequestThrottled", "Rate exceeded"))
        case "expired":
            return answer_of_error(SQSError("ExpiredToken", "The security token has expired", status=403))
        case "denied":
            return answer_of_error(SQSError("AccessDenied", "Access is denied.", status=403))
        case _:
            return int(fault.kind), {}, b"Service Unavailable"


def answer_of_error(error: SQSError) -> HttpAnswer:
    """AWS JSON 1.0, awsQueryCompatible: the type in the body, the older code in a header. DG sqs-json-faqs."""
    body = json.dumps({"__type": NAMESPACE + error.shape, "message": error.message}).encode()
    return error.status, {"x-amzn-query-error": f"{error.query_code};Sender"}, body


def failed_entry(entry_id: str, error: SQSError) -> dict[str, object]:
    """API_BatchResultErrorEntry."""
    code = error.query_code.rpartition(".")[2]
    return {"Id": entry_id, "Code": code, "Message": error.message, "SenderFault": True}
