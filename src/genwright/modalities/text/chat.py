"""A model's own chat template, rendered in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from genwright.core import DataError

Message = Mapping[str, str]


def render(
    template: str, /, *, messages: Sequence[Message], marks: Mapping[str, str], add_generation_prompt: bool = True
) -> str:
    """The messages as the model was taught to read them, up to where its answer begins; or all that they are.

    The template comes with the model and is not trusted: it runs in Jinja's immutable sandbox and can only build a
    text. `marks` are the names of special tokens that it may use (`bos_token`, `eos_token`).

    Raises:
        DataError: the template is broken, refuses these messages, or tries what the sandbox forbids.
    """
    try:
        return _compiled(template).render(messages=list(messages), add_generation_prompt=add_generation_prompt, **marks)
    except (TemplateError, TypeError, ValueError, ArithmeticError, MemoryError, RecursionError) as error:
        raise DataError(
            f"the model's chat template does not take these messages ({type(error).__name__}: {error})",
            hint="templates differ in the roles and their order that they take",
        ) from None


@lru_cache(maxsize=8)
def _compiled(template: str) -> Template:
    sandbox = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    sandbox.globals["raise_exception"] = _refuse
    return sandbox.from_string(template)


def _refuse(message: str) -> None:
    raise TemplateError(message)
