"""Requests are read by several threads at once; content of one must neither harm nor reach another."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: what this guards against does not raise, it ends the process.
PROGRAM = """
from concurrent.futures import ThreadPoolExecutor
import orjson, zstandard
from outlay_collector.receive.rows import pack_content

def pack(number):
    content = {"gen_ai.input.messages": f"{number} the cost of a call " * 2000}
    packed = [pack_content(content) for _ in range(40)]
    return all(orjson.loads(zstandard.ZstdDecompressor().decompress(one)) == content for one in packed)

with ThreadPoolExecutor(4) as threads:
    assert all(threads.map(pack, range(40)))
print("intact")
"""


def test_threads_pack_content_at_the_same_time() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "intact"), done.stderr
