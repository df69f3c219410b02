"""The floor: what raw boto3 costs with one process that receives ten, calls the function, deletes ten.

`python floor.py URL`: until the queue is empty. `python floor.py URL idle`: one long poll after the other.
"""

import json
import sys

import boto3
from bench_app import noop


def main() -> None:
    url = sys.argv[1]
    client = boto3.client("sqs")
    if sys.argv[2:] == ["idle"]:
        while True:
            client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            call = json.loads(message["Body"])
            noop(*call["args"], **call["kwargs"])
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        client.delete_message_batch(QueueUrl=url, Entries=entries)


if __name__ == "__main__":
    main()
