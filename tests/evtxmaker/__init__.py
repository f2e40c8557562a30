"""Makes Windows event logs (.evtx) out of event descriptions: evidence for tests and benchmarks.

This is a test tool. It is never part of the product, and nothing in `evtxscan` may import it.

The logs have the structure that Windows gives them: checksummed file and chunk headers, the string and template
tables of every chunk, and binary XML with templates and typed substitution values. Sources of the format: MS-EVEN6
section 2.2.12 to 2.2.16 (BinXml) and libevtx's "Windows XML Event Log (EVTX) format" (file, chunk and record headers).
"""

from .catalog import template, templates
from .model import Event, EventTemplate, Field, Payload, Provider, Value, ValueType
from .values import filetime, filetime_text, from_filetime
from .writer import WrittenLog, write_log

__all__ = [
    "Event",
    "EventTemplate",
    "Field",
    "Payload",
    "Provider",
    "Value",
    "ValueType",
    "WrittenLog",
    "filetime",
    "filetime_text",
    "from_filetime",
    "template",
    "templates",
    "write_log",
]
