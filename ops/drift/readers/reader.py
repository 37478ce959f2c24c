"""A reader tells what the API says of a resource, in the shape of a template's properties.

It takes clients, the physical id and the expected properties, and gives those that the API tells; None for a resource
that is gone. "(Listeners)" and the like are no properties: what somebody may have added by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

Properties = dict[str, Any]
Client = Callable[[str], Any]
Reader = Callable[[Client, str, Properties], Properties | None]


def gone(refused: ClientError) -> bool:
    """Whether an API's refusal says that there is no such thing."""
    code = refused.response["Error"]["Code"]
    return any(word in code for word in ("NotFound", "NoSuch", "404"))


def only(answer: Properties) -> Properties:
    """The one thing that an answer lists."""
    ((found,),) = (one for one in answer.values() if isinstance(one, list))
    return dict(found)
