"""SQS's limits, with their sources. In seconds and bytes. Pure."""

from __future__ import annotations

MAX_BATCH = 10
"""Messages per receive, and entries per batch.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

MAX_WAIT = 20
"""WaitTimeSeconds of a receive.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

MAX_VISIBILITY = 43_200
"""Twelve hours, counted from the receive.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

MAX_MESSAGE_BYTES = 1_048_576
"""One message with its attributes, and all messages of a batch together.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

MAX_DELAY = 900
"""DelaySeconds of a message.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

SEND_OPTIONS = (
    "DelaySeconds",
    "MessageAttributes",
    "MessageSystemAttributes",
    "MessageDeduplicationId",
    "MessageGroupId",
)
"""The arguments of SQS.Queue.send_message besides MessageBody.
https://docs.aws.amazon.com/boto3/latest/reference/services/sqs/queue/send_message.html
"""
