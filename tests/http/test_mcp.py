"""The public endpoints as tools of an MCP client: ``pip install -e '.[mcp]'``."""

import ast
import base64
from typing import Any

import pytest
from conftest import REPOSITORY, run_async, running_demo

mcp = pytest.importorskip("mcp", reason="MCP is not installed: pip install -e '.[mcp]'")
CAT = base64.b64encode((REPOSITORY / "examples" / "cat.jpg").read_bytes()).decode()


async def ask(address: str, tool: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """All tools by name, and what one of them says."""
    from mcp.client.streamable_http import streamable_http_client

    async with (
        streamable_http_client(f"{address}gradio_api/mcp/") as (read, write, _),
        mcp.ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        answer = await session.call_tool(tool, arguments)
    assert not answer.isError, answer
    return tools, ast.literal_eval(answer.content[0].text)  # Gradio sends Python's own notation


def test_a_tool_finds_the_largest_object_of_a_photo_sent(tmp_path):
    photo = {"photo": f"data:image/jpeg;base64,{CAT}"}
    with running_demo(GRADIO_MCP_SERVER="True", VOC_ROOT=str(tmp_path)) as address:
        tools, answer = run_async(ask(address, "detect", photo))
    assert answer["class_name"] == "cat"
    assert answer["image_size"] == [451, 300]
    assert {"detect", "augment", "sample", "detect_many"} <= set(tools)
    assert "largest object" in tools["detect"].description
    schema = tools["detect"].inputSchema
    assert set(schema["properties"]) == {"photo", "sample", "checkpoint"}
    assert "photo" not in schema.get("required", [])  # a sample may be named instead
