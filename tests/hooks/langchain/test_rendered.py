"""Which prompt a model call was made with: the one whose value it was given, else none."""

from __future__ import annotations

import asyncio
import copy
from typing import Any, TypedDict

import pytest
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, trim_messages
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from typing_extensions import override

import datahub_llmops.hooks as lineage
from hooks.parts import Model
from hooks.seen import Host


def named(name: str, *messages: Any) -> ChatPromptTemplate:
    prompt = ChatPromptTemplate.from_messages(list(messages))
    prompt.metadata = {"prompt_name": name}
    return prompt


def prompts_of(host: Host) -> dict[str, str | None]:
    """The name of the prompt of each model call of the only answer, by the name of the model."""
    found = host.answer()
    return {
        str(one.asked["name"]): None if one.prompt is None else found.prompts[one.prompt].get("name")
        for one in found.models
    }


A = named("a", ("system", "Translate."), ("human", "{x}"))
B = named("b", ("system", "Judge."), ("human", "{x}"))
HISTORY = named("history", ("system", "Rephrase."), MessagesPlaceholder("messages"))


class TestTheValueItself:
    def test_two_prompts_are_rendered_and_then_two_models_asked(self, host: Host) -> None:
        with lineage.answer():
            a, b = A.invoke({"x": "hi"}), B.invoke({"x": "hi"})
            Model(model_name="first").invoke(a)
            Model(model_name="second").invoke(b)
        assert prompts_of(host) == {"first": "a", "second": "b"}

    def test_in_a_batch(self, host: Host) -> None:
        with lineage.answer():
            Model().batch([A.invoke({"x": "1"}), B.invoke({"x": "2"})])
        found = host.answer()
        assert sorted(found.prompts[one.prompt or 0]["name"] for one in found.models) == ["a", "b"]

    @pytest.mark.parametrize("streams", [False, True])
    def test_at_once_in_tasks(self, host: Host, streams: bool) -> None:
        async def ask(prompt: Any, model: Model) -> None:
            value = await prompt.ainvoke({"x": "hi"})
            await asyncio.sleep(0)
            if streams:
                assert [one async for one in model.astream(value)]
            else:
                await model.ainvoke(value)

        async def both() -> None:
            async with lineage.answer():
                await asyncio.gather(ask(A, Model(model_name="first")), ask(B, Model(model_name="second")))

        asyncio.run(both())
        assert prompts_of(host) == {"first": "a", "second": "b"}

    def test_in_parallel_branches(self, host: Host) -> None:
        RunnableParallel(a=A | Model(model_name="first"), b=B | Model(model_name="second")).invoke(
            {"x": "hi"}
        )
        assert prompts_of(host) == {"first": "a", "second": "b"}

    def test_a_second_attempt_has_it_too(self, host: Host) -> None:
        fallback = Model(fail=True).with_fallbacks([Model(model_name="second")])
        (A | fallback).invoke({"x": "hi"})
        assert prompts_of(host) == {"gpt-test": "a", "second": "a"}


class TestItsMessages:
    @pytest.mark.parametrize(
        "change",
        [
            lambda value: value.to_messages(),
            lambda value: [*value.to_messages(), AIMessage("ho"), HumanMessage("and?")],
            lambda value: [SystemMessage("House rules."), *value.to_messages()],
            copy.deepcopy,
            lambda value: [one.model_copy() for one in value.to_messages()],
            lambda value: [("system", "Translate."), ("human", "hi")],
            lambda value: value.to_string(),
        ],
    )
    def test_among_others_or_copied(self, host: Host, change: Any) -> None:
        (A | RunnableLambda(change) | Model()).invoke({"x": "hi"})
        assert prompts_of(host) == {"gpt-test": "a"}

    def test_after_the_history_was_trimmed(self, host: Host) -> None:
        prompt = named("chat", ("system", "Be brief."), MessagesPlaceholder("messages"), ("human", "{x}"))
        history = [HumanMessage("one"), AIMessage("two"), HumanMessage("three"), AIMessage("four")]
        last: Any = trim_messages(max_tokens=2, token_counter=len, include_system=True, strategy="last")
        (prompt | last | Model()).invoke({"messages": history, "x": "five"})
        assert prompts_of(host) == {"gpt-test": "chat"}

    def test_with_an_image(self, host: Host) -> None:
        image = {"type": "image_url", "image_url": {"url": "{picture}"}}
        prompt = named("see", ("system", "See."), ("human", [{"type": "text", "text": "{x}"}, image]))
        (prompt | Model()).invoke({"x": "what?", "picture": "https://example.org/a.png"})
        assert prompts_of(host) == {"gpt-test": "see"}

    def test_a_prompt_around_the_messages_of_another(self, host: Host) -> None:
        with lineage.answer():
            inner = A.invoke({"x": "hi"})
            outer = HISTORY.invoke({"messages": inner.to_messages()})
            A.invoke({"x": "again"})
            Model().invoke([*outer.to_messages(), HumanMessage("please")])
        assert prompts_of(host) == {"gpt-test": "history"}


class TestTexts:
    def test_to_a_chat_model(self, host: Host) -> None:
        prompt = PromptTemplate.from_template("Say {x}")
        prompt.metadata = {"prompt_name": "say"}
        with lineage.answer():
            value = prompt.invoke({"x": "hi"})
            A.invoke({"x": "hi"})
            Model(model_name="value").invoke(value)
            Model(model_name="text").invoke(value.to_string())
        assert prompts_of(host) == {"value": "say", "text": "say"}

    def test_to_a_completion_model(self, host: Host) -> None:
        with lineage.answer():
            value = A.invoke({"x": "hi"})
            B.invoke({"x": "hi"})
            FakeListLLM(responses=["a"]).invoke(value)
        assert list(prompts_of(host).values()) == ["a"]


CONFIG: Any = {"metadata": {"langfuse_prompt": {"name": "answering", "version": 3}}}


class TestANameInTheConfigOfAChain:
    def test_is_that_of_its_only_template(self, host: Host) -> None:
        prompt = ChatPromptTemplate.from_template("Say {x}")
        (prompt | Model()).invoke({"x": "a"}, config=CONFIG)
        assert prompts_of(host) == {"gpt-test": "answering"}

    def test_of_several_templates_it_is_not_known_which_is_meant(self, host: Host) -> None:
        chain: Any = ChatPromptTemplate.from_template("one {x}") | Model(model_name="first")
        for number in ("second", "third"):
            prompt = ChatPromptTemplate.from_template(number + " {x}")
            chain = {"x": chain} | prompt | Model(model_name=number)
        chain.invoke({"x": "a"}, config=CONFIG)
        assert prompts_of(host) == {"first": None, "second": None, "third": None}

    def test_names_that_prompts_have_themselves_stay(self, host: Host) -> None:
        again = named("a", ("human", "{x}"))
        RunnableParallel(a=A | Model(model_name="first"), b=again | Model(model_name="second")).invoke(
            {"x": "hi"}
        )
        assert prompts_of(host) == {"first": "a", "second": "a"}


class State(TypedDict, total=False):
    """State of a graph."""

    messages: list[Any]
    better: str


class TestNone:
    def test_a_plain_call_behind_a_prompt(self, host: Host) -> None:
        from langgraph.graph import START, StateGraph

        def rephrase(state: State) -> State:
            message = (A | Model(model_name="small")).invoke({"x": state["messages"][-1].content})
            return {"better": str(message.content)}

        def reply(state: State) -> State:
            return {"messages": [Model(model_name="main").invoke(state["better"])]}

        graph = StateGraph(State).add_node("rephrase", rephrase).add_node("reply", reply)
        graph.add_edge(START, "rephrase").add_edge("rephrase", "reply")
        graph.compile().invoke({"messages": [HumanMessage("hm?")]})
        assert prompts_of(host) == {"small": "a", "main": None}

    def test_messages_that_were_only_passed_through_a_prompt(self, host: Host) -> None:
        messages = [HumanMessage("hi"), AIMessage("ho")]
        with lineage.answer():
            HISTORY.invoke({"messages": messages})
            Model().invoke([*messages, HumanMessage("and?")])
        assert prompts_of(host) == {"gpt-test": None}

    def test_an_agent_whose_tool_has_a_prompt(self, host: Host) -> None:
        from langchain.agents import create_agent

        class Calls(Model):
            @override
            def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
                result = super()._generate(messages, *args, **kwargs)
                if messages[-1].type == "human":
                    result.generations[0].message = AIMessage(
                        "", tool_calls=[{"name": "look_up", "args": {"x": "q"}, "id": "1"}]
                    )
                return result

        @tool
        def look_up(x: str) -> str:
            """Look it up."""
            return str((A | Model(model_name="inner")).invoke({"x": x}).content)

        agent: Any = create_agent(Calls(model_name="agent"), [look_up])
        agent.invoke({"messages": [("user", "hello")]})
        assert prompts_of(host) == {"agent": None, "inner": "a"}

    def test_of_two_prompts_that_say_the_same_it_is_not_known_which(self, host: Host) -> None:
        other = named("other", ("system", "Translate."), ("human", "{x}"))
        with lineage.answer():
            A.invoke({"x": "hi"})
            value = other.invoke({"x": "hi"})
            Model(model_name="value").invoke(value)
            Model(model_name="copy").invoke([one.model_copy() for one in value.to_messages()])
        assert prompts_of(host) == {"value": "other", "copy": None}

    def test_nothing_is_kept_once_the_answer_has_ended(self, host: Host) -> None:
        with lineage.answer() as answer:
            A.invoke({"x": "hi"})
            assert answer.rendered
        assert answer.rendered is None
