"""Makes exported models the same bytes whenever they hold the same graph and weights.

TensorFlow numbers its functions, and tf2onnx its tensors, with counters that run on while a process lives; maps inside protocol
buffers are written in no fixed order. Both are removed here: names are renumbered as they first appear, maps are sorted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tensorflow.core.protobuf import saved_model_pb2

COUNTED = re.compile(r"__(?:inference|forward|backward)_\w*?_?\d+(?:_\d+)*|CustomGradient-\d+")
BARE_COUNT = re.compile(r"^\d+$")  # how TensorFlow names captured arguments, inside attributes only


def canonical_saved_model(folder: Path) -> None:
    """Rewrite `saved_model.pb` in place; its fingerprint, which TensorFlow does not need, is removed."""
    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    names: dict[str, str] = {}

    def renumbered(text: str) -> str:
        return COUNTED.sub(lambda found: names.setdefault(found[0], f"counted_{len(names)}"), text)

    for meta_graph in model.meta_graphs:
        _sort_by(
            meta_graph.graph_def.library.function, lambda function: _first_number(function.signature.name)
        )
    _rewrite_strings(model, renumbered)
    path.write_bytes(model.SerializeToString(deterministic=True))
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def canonical_onnx(model: onnx.ModelProto, outputs: tuple[str, ...]) -> onnx.ModelProto:
    """The same graph with nodes and constants ordered and numbered as the outputs need them.

    Inputs keep their names, outputs get `outputs`; what no output needs is left out.
    """
    graph = model.graph
    nodes = _in_order_of_need(graph)
    names = {"": ""} | {
        value.name: value.name for value in graph.input
    }  # "": an optional input that is left out
    names |= {value.name: name for value, name in zip(graph.output, outputs, strict=True)}
    constants = {constant.name: constant for constant in graph.initializer}
    used: list[onnx.TensorProto] = []
    for index, node in enumerate(nodes):
        for name in node.input:
            if name in constants and name not in names:
                names[name] = f"constant_{len(used)}"
                used.append(constants[name])
        for position, name in enumerate(node.output):
            names.setdefault(name, f"tensor_{index}_{position}")
        node.name = f"{node.op_type}_{index}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
        _sort_by(node.attribute, lambda attribute: attribute.name)
    for value in (*used, *graph.output):
        value.name = names[value.name]
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "rows"
    _replace(graph.node, nodes)
    _replace(graph.initializer, used)
    _sort_by(graph.input, lambda value: value.name)
    _sort_by(model.opset_import, lambda opset: opset.domain)
    del graph.value_info[:]
    graph.name, graph.doc_string, model.doc_string = "model", "", ""
    return model


def _in_order_of_need(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes, each after those that it reads, in the order in which a walk back from the outputs meets them."""
    maker = {output: node for node in graph.node for output in node.output}
    ordered: list[onnx.NodeProto] = []
    done: set[str] = set()
    waiting = [(value.name, False) for value in reversed(graph.output)]
    while waiting:
        name, inputs_done = waiting.pop()
        if name not in maker or name in done:
            continue
        node = maker[name]
        if inputs_done:
            done.update(node.output)
            ordered.append(node)
        else:
            waiting.append((name, True))
            waiting.extend((needed, False) for needed in reversed(node.input))
    return ordered


def _rewrite_strings(message: Message, rewrite: Callable[[str], str]) -> None:
    """Apply `rewrite` to every text in `message`, keys of maps included."""
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            _rewrite_map(value, field, rewrite)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for item in _items(field, value):
                _rewrite_strings(item, rewrite)
        elif field.type == FieldDescriptor.TYPE_STRING:
            if field.label == FieldDescriptor.LABEL_REPEATED:
                value[:] = [rewrite(item) for item in value]
            else:
                setattr(message, field.name, rewrite(value))
        elif field.full_name == "tensorflow.AttrValue.s":
            message.s = rewrite(BARE_COUNT.sub("", value.decode("latin-1"))).encode("latin-1")


def _rewrite_map(entries: Any, field: FieldDescriptor, rewrite: Callable[[str], str]) -> None:
    """Rewrite the keys and values of a map from text to messages or to text; other maps hold no names."""
    key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
    for name in sorted(entries):
        item = entries[name]
        if value.type == FieldDescriptor.TYPE_MESSAGE:
            _rewrite_strings(item, rewrite)
        if key.type != FieldDescriptor.TYPE_STRING or rewrite(name) == name:
            if value.type == FieldDescriptor.TYPE_STRING:
                entries[name] = rewrite(item)
            continue
        if value.type == FieldDescriptor.TYPE_MESSAGE:
            entries[rewrite(name)].CopyFrom(item)
        else:
            entries[rewrite(name)] = rewrite(item)
        del entries[name]


def _items(field: FieldDescriptor, value: Any) -> Iterator[Message]:
    return iter(value if field.label == FieldDescriptor.LABEL_REPEATED else [value])


def _sort_by(repeated: Any, key: Callable[[Any], Any]) -> None:
    _replace(repeated, sorted(repeated, key=key))


def _replace(repeated: Any, items: Sequence[Message]) -> None:
    copies = [type(item).FromString(item.SerializeToString()) for item in items]
    del repeated[:]
    repeated.extend(copies)


def _first_number(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))
