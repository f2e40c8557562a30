"""The numbers of the EVTX format (MS-EVEN6 section 2.2 and the format document of libevtx).

They stand here, in the lowest layer, because evidence is recognised by its content.
"""

from __future__ import annotations

FILE_MAGIC = b"ElfFile\0"
CHUNK_MAGIC = b"ElfChnk\0"
RECORD_MAGIC = b"**\0\0"
FILE_HEADER_SIZE = 4096
CHUNK_SIZE = 65536
CHUNK_HEADER_SIZE = 512
RECORD_HEADER_SIZE = 24
