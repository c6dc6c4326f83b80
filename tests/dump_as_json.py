#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Reads a decompressed dump from stdin with nothing of ours, prints it as JSON lines for the tests."""
import io
import json
import sys

import cbor2


def plain(item):
    if isinstance(item, bytes):
        return {"bytes": item.hex()}
    if isinstance(item, float) and item != item:
        return "nan"
    if isinstance(item, dict):
        return {str(key): plain(value) for key, value in item.items()}
    if isinstance(item, list):
        return [plain(value) for value in item]
    return item


data = sys.stdin.buffer.read()
stream = io.BytesIO(data)
while stream.tell() < len(data):
    print(json.dumps(plain(cbor2.load(stream))))
