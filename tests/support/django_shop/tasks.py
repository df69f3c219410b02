"""Tasks, found by the name of this module."""

from tests.support.django_shop.models import Order
from tests.support.django_shop.squids_app import app


@app.task("orders")
def place(number: int) -> None:
    Order.objects.create(number=number)
