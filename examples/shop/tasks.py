"""The background work of a small web shop: three queues, three kinds of work.

Where SQS is, and with which credentials, comes from the usual AWS environment; none of it is here.
"""

import time

import squids
from shop import journal

app = squids.App("shop")


@app.task("emails")
def send_receipt(order: int, to: str) -> None:
    """Mail a receipt: short work, much of it."""
    with journal.entry("emails", str(order)):
        time.sleep(0.1)  # the mail server's answer


@app.task("reports")
def sales_report(day: str) -> None:
    """Add up a day's sales: long work. The bank's server is down at the first try for one of the days."""
    with journal.entry("reports", day):
        job = squids.current_job()
        if job is not None and job.receive_count == 1 and day.endswith("-03"):
            raise ConnectionError("the bank did not answer")
        time.sleep(1.0)  # the database's answer


@app.task("orders.fifo")
def change_order(order: int, step: str) -> None:
    """Carry out one step of an order. The steps of an order keep their order, being one message group."""
    with journal.entry("orders.fifo", f"{order}/{step}"):
        time.sleep(0.05)
