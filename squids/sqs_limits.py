"""SQS's numbers, each with its page. Seconds and bytes."""

from __future__ import annotations

MAX_BATCH = 10
"""Messages of one receive, entries of one batch.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""

MAX_WAIT = 20
"""WaitTimeSeconds of a receive.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"""

MAX_VISIBILITY = 43_200
"""Twelve hours, counted from the receive.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""

MAX_MESSAGE_BYTES = 1_048_576
"""One message with its attributes, and all of one batch together.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""

SEND_OPTIONS = (
    "DelaySeconds",
    "MessageAttributes",
    "MessageSystemAttributes",
    "MessageDeduplicationId",
    "MessageGroupId",
)
"""What SQS.Queue.send_message takes besides MessageBody.
https://docs.aws.amazon.com/boto3/latest/reference/services/sqs/queue/send_message.html"""
