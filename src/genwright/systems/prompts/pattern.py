"""What a prompt pattern is: settings with a template, and the calls that lead from a chat to its answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import field_validator

from genwright.core import Config, DataError
from genwright.systems.requests import Chat

_SANDBOX = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)


@dataclass(frozen=True)
class Call:
    """One thing to ask of the model: `num` answers to a chat.

    `temperature` None leaves the system's own; `stop` ends an answer; `json_schema` is what it has to fit. Where `last`
    is true, the text that comes back is the answer itself, and may be shown while it is written.
    """

    chat: Chat
    num: int = 1
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    json_schema: str | None = None
    last: bool = False


Turns = Generator[Call, Sequence[str], str]
C = TypeVar("C", bound="PatternConfig")


class PatternConfig(Config):
    """Settings that all patterns share.

    `template` is Jinja: `{{ input }}` is what the user said last, `{{ instruction }}` the instruction. `system` goes in
    front where it is not empty. `stop` ends an answer.
    """

    kind: str
    instruction: str = ""
    template: str = "{% if instruction %}{{ instruction }}\n\n{% endif %}{{ input }}"
    system: str = ""
    stop: tuple[str, ...] = ()

    @field_validator("template")
    @classmethod
    def _is_template(cls, text: str) -> str:
        try:
            _SANDBOX.from_string(text)
        except TemplateError as error:
            raise ValueError(f"is no Jinja template ({error})") from None
        return text

    @property
    def num_examples(self) -> int:
        """How many examples a prompt of this pattern shows."""
        return 0

    def searched(self) -> tuple[Self, ...]:
        """The settings that a search tries in place of these."""
        return (self,)

    def render(self, template: str, /, **values: Any) -> str:
        """A template with the instruction and `values` filled in.

        Raises:
            DataError: the template fails on them.
        """
        try:
            return _SANDBOX.from_string(template).render(instruction=self.instruction, **values)
        except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise DataError(f"the prompt's template fails ({type(error).__name__}: {error})") from None


class Pattern(Generic[C]):
    """From a chat to its answer; `examples` are solved chats, the pool that examples are shown from."""

    def __init__(self, config: C, /, *, examples: Sequence[Chat] = ()) -> None:
        self.config, self.examples = config, tuple(examples)

    @abstractmethod
    def turns(self, chat: Chat, /) -> Turns:
        """Yields what is to be asked, gets the answers of each call, and returns the answer."""

    def asked(self, chat: Chat, /, *, template: str | None = None, **values: Any) -> Chat:
        """The chat with its last question in the template, the system's part in front."""
        *before, (role, said) = chat
        text = self.config.render(template or self.config.template, input=said, **values)
        return (*self.opening(), *before, (role, text))

    def opening(self) -> Chat:
        """What stands before all that was said."""
        return (("system", self.config.system),) if self.config.system else ()


AnyPattern = Pattern[Any]
