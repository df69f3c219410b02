"""Creates a consumer's queue in a local SQS, if the app alone knows its name.

A command with `--local` creates the queues that its file or its options name. An app may have names of its
own (`queue_prefix`, `queue_names`), which are known once it is imported.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from squids.queue_names import QueueNames
from squids.sqs import LOCAL, LOCAL_RECEIVES

if TYPE_CHECKING:
    from squids.app import App


def create_if_renamed(app: App, queue: str) -> None:
    """Create the queue that `queue` means to the app, unless the command has created it.

    Does nothing without a local SQS. Raises botocore's exceptions if the local SQS does not answer.
    """
    if not os.environ.get(LOCAL):
        return
    ref = app.queue_ref(queue)
    if ref == QueueNames.of(None, None, os.environ).ref(queue):
        return
    client = app.sqs.client(ref)
    kind = {"FifoQueue": "true"} if ref.is_fifo else {}
    dead = client.create_queue(QueueName=ref.dead_letter_name, Attributes=kind)["QueueUrl"]
    answer = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": answer["Attributes"]["QueueArn"], "maxReceiveCount": LOCAL_RECEIVES}
    client.create_queue(QueueName=ref.name, Attributes={**kind, "RedrivePolicy": json.dumps(policy)})
