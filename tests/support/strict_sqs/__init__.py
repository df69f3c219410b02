"""A small, strict SQS: the documented rules that emulators bend, with faults on demand.

`queue` holds the rules of one queue, `checks` what SQS refuses, `faults` what may go wrong on the way, and `server`
the HTTP that boto3 speaks and what a test does with it. Each rule names the page it comes from: API_X stands for
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_X.html and DG X for
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/X.html.
"""

from tests.support.strict_sqs.queue import Event, Message, Queue
from tests.support.strict_sqs.server import StrictSQS

__all__ = ["Event", "Message", "Queue", "StrictSQS"]
