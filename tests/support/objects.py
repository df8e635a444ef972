"""A folder served as an S3 bucket, read-only: a stand-in for object stores, after the pages of S3's API.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and API_GetObject.html (2006-03-01)
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote
from xml.sax.saxutils import escape

from support.stub import Answer, Call, Reply

BUCKET = "bucket"
_DATE = "Mon, 02 Nov 2026 08:30:00 GMT"


def bucket_of(folder: Path) -> Answer:
    """Answers for the bucket that holds what is below ``folder``; whoever writes is refused."""

    def answer(call: Call) -> Reply:
        key = unquote(call.path).removeprefix(f"/{BUCKET}").strip("/")
        if call.method not in ("GET", "HEAD"):
            return Reply(status=403)
        if not key:
            return _listing(folder, call)
        place = folder / key
        if not place.is_file():
            return Reply(status=404, body=b"<Error><Code>NoSuchKey</Code></Error>", headers=_XML)
        return _object(place.read_bytes(), call)

    return answer


_XML = {"Content-Type": "application/xml"}


def _listing(folder: Path, call: Call) -> Reply:
    prefix = call.query.get("prefix", [""])[0]
    after = call.query.get("start-after", [""])[0]
    delimiter = call.query.get("delimiter", [""])[0]
    keys = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    keys = [key for key in keys if key.startswith(prefix) and key > after]
    deeper = {key: key[len(prefix) :].partition("/") for key in keys} if delimiter else {}
    folders = sorted({f"{prefix}{head}/" for head, slash, _ in deeper.values() if slash})
    files = [key for key in keys if not delimiter or not deeper[key][1]]
    contents = "".join(
        f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-02T08:30:00.000Z</LastModified><ETag>&quot;e&quot;"
        f"</ETag><Size>{(folder / key).stat().st_size}</Size></Contents>"
        for key in files
    )
    common = "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
    body = (
        f"<ListBucketResult><Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(files)}</KeyCount>"
        f"<IsTruncated>false</IsTruncated>{contents}{common}</ListBucketResult>"
    )
    return Reply(body=body.encode(), headers=_XML)


def _object(content: bytes, call: Call) -> Reply:
    headers = {
        "Content-Type": "application/octet-stream",
        "ETag": f'"{hashlib.md5(content).hexdigest()}"',
        "Last-Modified": _DATE,
        "Accept-Ranges": "bytes",
    }
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("Range", ""))
    if asked is None:
        return Reply(body=content, headers=headers)
    first, last = asked.groups()
    start = int(first) if first else len(content) - int(last)
    end = min(int(last), len(content) - 1) if first and last else len(content) - 1
    part = f"bytes {start}-{end}/{len(content)}"
    return Reply(status=206, body=content[start : end + 1], headers={**headers, "Content-Range": part})
