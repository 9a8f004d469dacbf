"""The acts of users, one module for each kind of user. Each journey has a tag."""

from loadtests.locust.journeys.base import Journey
from loadtests.locust.journeys.files import FileSender
from loadtests.locust.journeys.groups import GroupMember
from loadtests.locust.journeys.listeners import Listener
from loadtests.locust.journeys.operators import Operator
from loadtests.locust.journeys.phones import Phone
from loadtests.locust.journeys.texters import Texter

JOURNEYS: tuple[type[Journey], ...] = (Texter, GroupMember, FileSender, Listener, Operator, Phone)

__all__ = ["JOURNEYS", "FileSender", "GroupMember", "Journey", "Listener", "Operator", "Phone", "Texter"]
