"""The part of OTLP's protobuf schema that is read.

Attributes, resources, events and states are declared as bytes. On the wire that is the same, but what they hold is not
parsed with the message: a prompt or a document never becomes a value of its own, and reading takes half the time.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field: Final = descriptor_pb2.FieldDescriptorProto
_TYPES: Final = {
    "bytes": _Field.TYPE_BYTES,
    "fixed64": _Field.TYPE_FIXED64,
    "int64": _Field.TYPE_INT64,
    "int32": _Field.TYPE_INT32,
    "double": _Field.TYPE_DOUBLE,
    "bool": _Field.TYPE_BOOL,
}
_PACKAGE: Final = "datahub_llmops.otlp"
# Message -> field -> number, type, and whether it is repeated. A type that is none of the above is a message.
_MESSAGES: Final[dict[str, dict[str, tuple[int, str, bool]]]] = {
    # ExportTraceServiceRequest and TracesData are the same on the wire.
    "TracesData": {"resource_spans": (1, "ResourceSpans", True)},
    "ResourceSpans": {"resource": (1, "bytes", False), "scope_spans": (2, "ScopeSpans", True)},
    "Resource": {"attributes": (1, "bytes", True)},
    "ScopeSpans": {"scope": (1, "bytes", False), "spans": (2, "Span", True)},
    "Scope": {"name": (1, "bytes", False)},
    "Span": {
        "trace_id": (1, "bytes", False),
        "span_id": (2, "bytes", False),
        "trace_state": (3, "bytes", False),
        "parent_span_id": (4, "bytes", False),
        "name": (5, "bytes", False),
        "start_time_unix_nano": (7, "fixed64", False),
        "end_time_unix_nano": (8, "fixed64", False),
        "attributes": (9, "bytes", True),
        "events": (11, "bytes", True),
        "status": (15, "bytes", False),
    },
    "Event": {"name": (2, "bytes", False), "attributes": (3, "bytes", True)},
    "Status": {"code": (3, "int32", False)},
    "KeyValue": {"key": (1, "bytes", False), "value": (2, "bytes", False)},
    "AnyValue": {
        "string_value": (1, "bytes", False),
        "bool_value": (2, "bool", False),
        "int_value": (3, "int64", False),
        "double_value": (4, "double", False),
        "array_value": (5, "ArrayValue", False),
        "kvlist_value": (6, "KeyValueList", False),
    },
    "ArrayValue": {"values": (1, "AnyValue", True)},
    "KeyValueList": {"values": (1, "KeyValue", True)},
}


def _build() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == "AnyValue":
            message.oneof_decl.add(name="value")
        for field, (number, kind, repeated) in fields.items():
            label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            declared = message.field.add(name=field, number=number, label=label)
            if kind in _TYPES:
                declared.type = _TYPES[kind]
            else:
                declared.type, declared.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            if name == "AnyValue":
                declared.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


_classes: Final = _build()
TracesData: Final = _classes["TracesData"]
Resource: Final = _classes["Resource"]
Scope: Final = _classes["Scope"]
Event: Final = _classes["Event"]
Status: Final = _classes["Status"]
KeyValue: Final = _classes["KeyValue"]
AnyValue: Final = _classes["AnyValue"]
