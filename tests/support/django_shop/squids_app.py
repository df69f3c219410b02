"""The squids app of the project."""

from squids.contrib.django import App

app = App("shop")
